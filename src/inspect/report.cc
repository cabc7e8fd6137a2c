#include <array>
#include <cmath>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/inspect.h"
#include "cloze/output.h"
#include "core/io/base64.h"
#include "inspect/attention_codec.h"
#include "inspect/page_files.h"
#include "inspect/page_template.h"

namespace cloze {
namespace {

using nlohmann::json;

constexpr int kDigits = 6, kPageDigits = 3;

/// The number with so many significant digits, so that JSON says no more than is known.
double rounded(double value, int digits) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double scale =
      std::pow(10.0, digits - 1 - static_cast<int>(std::floor(std::log10(std::abs(value)))));
  return std::isfinite(scale) && scale != 0 ? std::round(value * scale) / scale : value;
}

/// The tensor's elements as nested lists.
template <class T>
json nested(const Tensor& tensor, int digits = kDigits) {
  if (tensor.shape().size() > 1) {
    auto rows = json::array();
    for (std::int64_t i = 0; i < tensor.dim(0); ++i) {
      rows.push_back(nested<T>(
          tensor.rows(i, i + 1).reshaped({tensor.shape().begin() + 1, tensor.shape().end()}),
          digits));
    }
    return rows;
  }
  auto values = json::array();
  for (const auto value : tensor.values<T>()) {
    if constexpr (std::is_integral_v<T>) {
      values.push_back(value);
    } else {
      values.push_back(rounded(static_cast<double>(value), digits));
    }
  }
  return values;
}

json words_of(const InspectedText& text) {
  auto words = json::array();
  for (const auto& word : text.words) {
    words.push_back({{"begin", word.begin},
                     {"end", word.end},
                     {"sequence", word.sequence},
                     {"space", word.space},
                     {"text", word.text}});
  }
  return words;
}

json prediction_of(const Explanation& explanation) {
  auto candidates = json::array();
  for (const auto& candidate : explanation.candidates) {
    candidates.push_back(
        {{"answer", candidate.name}, {"probability", rounded(candidate.probability, kDigits)}});
  }
  json prediction = {{"question", name_of(explanation.kind)},
                     {"answer", explanation.answer},
                     {"score", explanation.score},
                     {"candidates", std::move(candidates)}};
  prediction[explanation.regression ? "value" : "probability"] =
      rounded(explanation.probability, kDigits);
  if (explanation.at >= 0) prediction["token"] = explanation.at;
  return prediction;
}

json attribution_of(const Inspection& inspection) {
  const auto& attribution = *inspection.attribution;
  return {{"baseline", inspection.baseline},
          {"steps", attribution.steps},
          {"score", rounded(attribution.score, kDigits)},
          {"baseline_score", rounded(attribution.baseline_score, kDigits)},
          {"completeness_gap", rounded(attribution.completeness_gap, kDigits)},
          {"integrated_gradients", nested<float>(attribution.integrated_gradients)},
          {"gradient_x_input", nested<float>(attribution.gradient_x_input)}};
}

/// All but attention. `digits` of the probabilities of predictions.
json description(const Inspection& inspection, int digits) {
  const auto& text = inspection.text;
  json result = {{"model", inspection.model},
                 {"layers", inspection.config.num_hidden_layers},
                 {"heads", inspection.config.num_attention_heads},
                 {"text", text.text},
                 {"tokens", text.encoding.tokens},
                 {"ids", text.encoding.ids},
                 {"type_ids", text.encoding.type_ids},
                 {"special", text.encoding.special_tokens_mask},
                 {"words", words_of(text)},
                 {"notes", inspection.notes}};
  if (text.pair) result["pair"] = *text.pair;
  if (inspection.explanation) result["prediction"] = prediction_of(*inspection.explanation);
  if (inspection.attribution) result["attribution"] = attribution_of(inspection);
  if (inspection.layers) {
    result["by_layer"] = {
        {"ids", nested<std::int32_t>(inspection.layers->ids)},
        {"probabilities", nested<float>(inspection.layers->probabilities, digits)}};
  }
  if (inspection.masks) {
    result["masks"] = {{"pseudo_perplexity", rounded(inspection.masks->pseudo_perplexity, kDigits)},
                       {"positions", inspection.masks->positions},
                       {"surprise", nested<float>(inspection.masks->surprise)},
                       {"ids", nested<std::int32_t>(inspection.masks->ids)},
                       {"probabilities", nested<float>(inspection.masks->probabilities, digits)}};
  }
  if (!inspection.vocabulary.empty()) {
    auto& vocabulary = result["vocabulary"] = json::object();
    for (const auto& [id, token] : inspection.vocabulary) vocabulary[std::to_string(id)] = token;
  }
  return result;
}

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Nested lists of [heads, tokens, tokens], a row at a time.
void write_layer(const Tensor& layer, std::string& line, const TextSink& sink) {
  const auto heads = layer.dim(0), tokens = layer.dim(1);
  const auto values = layer.values<float>();
  std::size_t at = 0;
  for (std::int64_t head = 0; head < heads; ++head) {
    line += head == 0 ? "[" : ",[";
    for (std::int64_t query = 0; query < tokens; ++query) {
      line += query == 0 ? "[" : ",[";
      for (std::int64_t key = 0; key < tokens; ++key) {
        fmt::format_to(std::back_inserter(line), "{}{:.6g}", key == 0 ? "" : ",", values[at++]);
      }
      line += ']';
      sink(line);
      line.clear();
    }
    line += ']';
  }
}

}  // namespace

void write_json(const Inspection& inspection, const TextSink& sink) {
  auto line = dump(description(inspection, kDigits));
  if (!inspection.attentions.empty()) {
    line.back() = ',';
    line += "\"attentions\":[";
    bool first = true;
    for (const auto& layer : inspection.attentions) {
      line += first ? "[" : ",[";
      first = false;
      write_layer(layer, line, sink);
      line += ']';
    }
    line += "]}";
  }
  line += '\n';
  sink(line);
}

std::string inspection_page(const Inspection& inspection, const PageOptions& options) {
  auto data = description(inspection, kPageDigits);
  const auto title = page::escape_html(fmt::format("{} · cloze inspect", inspection.model));
  const auto assemble = [&](const std::string& attention) {
    const auto json = page::escape_script(dump(data));
    const std::array<std::pair<std::string_view, std::string_view>, 12> parts{{
        {"title", title},
        {"data", json},
        {"attention", attention},
        {"base.css", page::base_css},
        {"inspect.css", page::inspect_css},
        {"base.js", page::base_js},
        {"inflate.js", page::inflate_js},
        {"attention.js", page::attention_js},
        {"heads.js", page::heads_js},
        {"attribution.js", page::attribution_js},
        {"layers.js", page::layers_js},
        {"masks.js", page::masks_js},
    }};
    return page::fill(page::inspect_html, parts);
  };
  if (inspection.attentions.empty()) return assemble("");
  // What the rest of the page leaves, as base64 makes three bytes of attention four of the page.
  constexpr std::size_t kLeast = 100'000, kHeader = 300;
  const std::size_t rest = assemble("").size() + kHeader;
  const std::size_t room = rest + kLeast < options.most_bytes ? options.most_bytes - rest : kLeast;
  const auto packed = pack_attention(inspection.attentions, room / 4 * 3);
  data["attention"] = {{"layers", packed.layers},       {"heads", packed.heads},
                       {"tokens", packed.tokens},       {"mantissa", packed.mantissa},
                       {"threshold", packed.threshold}, {"kept", rounded(packed.kept, kDigits)},
                       {"values", packed.values},       {"gap_bytes", packed.gap_bytes}};
  return assemble(base64_encoded(packed.deflated));
}

void save_inspection(const Inspection& inspection, const std::filesystem::path& path) {
  const auto extension = path.extension();
  if (extension == ".safetensors") {
    save_safetensors(path, tensors_of(inspection), {{"format", "pt"}, {"model", inspection.model}});
    return;
  }
  if (extension != ".html" && extension != ".json") {
    throw ArgumentError(fmt::format("{} is none of .html, .safetensors, .json", path.string()));
  }
  auto out = Output::file(path);
  if (extension == ".html") {
    out.write(inspection_page(inspection));
  } else {
    write_json(inspection, [&](std::string_view piece) { out.write(piece); });
  }
  out.finish();
}

}  // namespace cloze
