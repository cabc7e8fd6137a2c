#include "text/files/unigram_save.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include <fmt/format.h>

#include "core/io/base64.h"

namespace cloze::text {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson step_json(const PrecompiledStep& map) {
  const auto bytes = std::as_bytes(std::span(map->blob()));
  return {{"type", "Precompiled"}, {"precompiled_charsmap", base64_encoded(bytes)}};
}

OrderedJson step_json(const NmtStep& /*step*/) { return {{"type", "Nmt"}}; }
OrderedJson step_json(const NfkcStep& /*step*/) { return {{"type", "NFKC"}}; }
OrderedJson step_json(const LowercaseStep& /*step*/) { return {{"type", "Lowercase"}}; }

OrderedJson step_json(const StripStep& step) {
  return {{"type", "Strip"}, {"strip_left", step.left}, {"strip_right", step.right}};
}

OrderedJson step_json(const ReplaceStep& step) {
  OrderedJson pattern = OrderedJson::object();
  if (step.spaces) {
    pattern["Regex"] = " {2,}";
  } else {
    pattern["String"] = step.pattern;
  }
  return {{"type", "Replace"}, {"pattern", std::move(pattern)}, {"content", step.content}};
}

// A component alone, or a sequence of them; null where there is none.
OrderedJson sequence(OrderedJson parts, const char* list) {
  if (parts.empty()) return {};
  if (parts.size() == 1) return parts[0];
  OrderedJson result{{"type", "Sequence"}};
  result[list] = std::move(parts);
  return result;
}

}  // namespace

OrderedJson normalizer_json(const UnigramRules& rules) {
  OrderedJson steps = OrderedJson::array();
  for (const auto& step : rules.steps) {
    steps.push_back(std::visit([](const auto& one) { return step_json(one); }, step));
  }
  return sequence(std::move(steps), "normalizers");
}

OrderedJson pre_tokenizer_json(const UnigramRules& rules) {
  OrderedJson steps = OrderedJson::array();
  if (rules.whitespace_split) steps.push_back(OrderedJson{{"type", "WhitespaceSplit"}});
  if (rules.metaspace) steps.push_back(metaspace_json(*rules.metaspace));
  return sequence(std::move(steps), "pretokenizers");
}

OrderedJson metaspace_json(const Metaspace& metaspace) {
  const auto* const scheme = [&] {
    switch (metaspace.prepend) {
      case PrependScheme::always:
        return "always";
      case PrependScheme::first:
        return "first";
      default:
        return "never";
    }
  }();
  return {{"type", "Metaspace"},
          {"replacement", metaspace.replacement},
          {"prepend_scheme", scheme},
          {"split", metaspace.split}};
}

std::string with_pieces(std::string file, const UnigramRules& rules, const Vocabulary& vocabulary,
                        Decimals decimals) {
  std::string model = fmt::format(
      "{{\n    \"type\": \"Unigram\",\n    \"unk_id\": {},\n    \"byte_fallback\": {},\n"
      "    \"vocab\": [\n",
      rules.unk_id, rules.byte_fallback);
  model.reserve(rules.scores.size() * 40);
  for (std::size_t id = 0; id < rules.scores.size(); ++id) {
    model += "      [";
    model += OrderedJson(vocabulary.token(static_cast<std::int32_t>(id))).dump();
    model += ", ";
    model += write_score(rules.scores[id], decimals);
    model += id + 1 < rules.scores.size() ? "],\n" : "]\n";
  }
  model += "    ]\n  }";
  const auto placeholder = OrderedJson(kPiecesGoHere).dump();
  file.replace(file.rfind(placeholder), placeholder.size(), model);
  return file;
}

}  // namespace cloze::text
