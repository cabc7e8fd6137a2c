#include <utility>

#include <fmt/format.h>

#include "cloze/tokenizer.h"
#include "serve/json/writer.h"
#include "serve/request_error.h"
#include "serve/routes/texts.h"

namespace cloze::serve {
namespace {

using nlohmann::json;

const ServedModel& any_model(const Service& service, const Asked& asked) {
  return service.choose(
      asked.model, [](const ServedModel&) { return true; }, "tokens");
}

void append_encoding(std::string& out, const std::string& text, const Encoding& encoding) {
  out += '[';
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const bool special = encoding.special_tokens_mask[i] != 0;
    const auto [begin, end] = encoding.offsets[i];
    if (i > 0) out += ',';
    out += '{';
    append_field(out, "id", encoding.ids[i]);
    const auto source = std::string_view(text).substr(static_cast<std::size_t>(begin),
                                                      static_cast<std::size_t>(end - begin));
    append_field(out, "text", special ? std::string_view(encoding.tokens[i]) : source);
    append_field(out, "special", special);
    append_name(out, "start");
    out += special ? "null" : std::to_string(begin);
    append_name(out, "stop");
    out += special ? "null" : std::to_string(end);
    out += '}';
  }
  out += ']';
}

/// The ids of a list, each within the vocabulary.
std::vector<std::int32_t> ids_of(const ServedModel& model, const json& list) {
  const auto vocabulary = model.tokenizer().vocab_size();
  std::vector<std::int32_t> ids;
  for (const auto& each : list) {
    const bool whole = each.is_number_unsigned();
    if (!whole || each.get<std::uint64_t>() >= static_cast<std::uint64_t>(vocabulary)) {
      throw invalid(fmt::format("`ids` has {}: ids of this model are whole numbers from 0 to {}",
                                whole ? each.dump() : kind_of(each), vocabulary - 1),
                    "ids");
    }
    ids.push_back(each.get<std::int32_t>());
  }
  return ids;
}

}  // namespace

Reply tokenize(const Service& service, const Asked& asked) {
  const auto& model = any_model(service, asked);
  const Fields fields(asked.body);
  const auto fitting = fitting_of(service, model, fields, true, true);
  EncodeOptions options{.offsets = OffsetUnit::bytes};
  options.add_special_tokens = fields.boolean("add_special_tokens", true);
  bool single = false;
  auto texts = read_texts(service, fields, "inputs", single);
  Reply reply;
  reply.batch = !single;
  reply.inputs = texts.size();
  std::size_t bytes = 0;
  for (auto& text : texts) {
    reply.characters += text.size();
    text.insert(0, fitting.prompt);
    bytes += text.size();
  }
  constexpr std::int64_t bytes_a_token = 70;  // at most one for each byte of text
  if (static_cast<std::int64_t>(bytes) * bytes_a_token > service.limits().most_answer_bytes) {
    throw RequestError(413, "Validation",
                       fmt::format("the answer to {} bytes of text would be over {} bytes: divide "
                                   "`inputs` over several requests",
                                   bytes, service.limits().most_answer_bytes),
                       "inputs");
  }
  reply.write = [&model, options, texts = std::move(texts)] {
    std::string out;
    append_list(out, texts, [&](const std::string& text) {
      append_encoding(out, text, model.tokenizer().encode(text, options));
    });
    return out;
  };
  return reply;
}

Reply decode(const Service& service, const Asked& asked) {
  const auto& model = any_model(service, asked);
  const Fields fields(asked.body);
  const bool skip = fields.boolean("skip_special_tokens", true);
  const auto& value = fields.need("ids");
  if (!value.is_array()) {
    throw invalid(fmt::format("`ids` is {}: it must be a list of ids, or a list of such lists",
                              kind_of(value)),
                  "ids");
  }
  if (value.empty()) throw empty("`ids` cannot be empty", "ids");
  std::vector<std::vector<std::int32_t>> all;
  Reply reply;
  reply.batch = value.front().is_array();
  if (!reply.batch) {
    all.push_back(ids_of(model, value));
  } else {
    require_batch(service, value.size(), "`ids`");
    for (const auto& each : value) {
      if (!each.is_array()) throw invalid("`ids` mixes numbers and lists: send one kind", "ids");
      all.push_back(ids_of(model, each));
    }
  }
  reply.inputs = all.size();
  reply.write = [&model, skip, all = std::move(all)] {
    std::string out;
    append_list(out, all, [&](const std::vector<std::int32_t>& ids) {
      append_json(out, model.tokenizer().decode(ids, skip));
    });
    return out;
  };
  return reply;
}

}  // namespace cloze::serve
