#include <utility>

#include <fmt/format.h>

#include "serve/json/writer.h"
#include "serve/request_error.h"
#include "serve/routes/texts.h"

namespace cloze::serve {
namespace {

using nlohmann::json;

/// A text, ["text"] or ["text", "pair"].
TextOrPair read_one(const json& value, std::size_t index) {
  if (value.is_string()) return {value.get<std::string>()};
  const bool list = value.is_array() && (value.size() == 1 || value.size() == 2);
  if (!list || !value.front().is_string() || !value.back().is_string()) {
    throw invalid(fmt::format("input {} of `inputs` must be a string, [\"text\"] or [\"text\", "
                              "\"its pair\"]",
                              index),
                  "inputs");
  }
  if (value.size() == 1) return {value.front().get<std::string>()};
  return {value.front().get<std::string>(), value.back().get<std::string>()};
}

/// text-embeddings-inference's inputs: a list of strings is one text or one pair, a list of lists a
/// batch.
std::vector<TextOrPair> read_predict_inputs(const Service& service, const Fields& fields,
                                            bool& single) {
  const auto& value = fields.need("inputs");
  single = true;
  if (value.is_array() && value.empty()) {
    throw empty("`inputs` cannot be empty: send at least one text", "inputs");
  }
  if (!value.is_array() || value.front().is_string()) return {read_one(value, 0)};
  single = false;
  require_batch(service, value.size(), "`inputs`");
  std::vector<TextOrPair> inputs;
  inputs.reserve(value.size());
  for (const auto& each : value) inputs.push_back(read_one(each, inputs.size()));
  return inputs;
}

}  // namespace

void append_labels(std::string& out, const std::vector<LabelScore>& labels) {
  append_list(out, labels, [&](const LabelScore& each) {
    out += '{';
    append_field(out, "score", static_cast<float>(each.score));
    append_field(out, "label", each.label);
    out += '}';
  });
}

std::shared_ptr<LabelJob> label_job(const ServedModel& model, std::vector<TextOrPair> inputs,
                                    ScoreFunction function, const Fitting& fitting, Reply& reply) {
  auto job = std::make_shared<LabelJob>(
      [&model, function](std::span<const TextOrPair> all, const ProgressCallback& progress) {
        std::vector<TextItem> items;
        items.reserve(all.size());
        for (const auto& each : all) items.push_back({.text = each.text, .pair = each.pair});
        return (*model.classifier)(items,
                                   {.top_k = 0,
                                    .function_to_apply = function,
                                    .limits = {.max_length = model.max_length(), .truncate = true}},
                                   progress);
      });
  job->group = fmt::format("labels {} {}", fmt::ptr(&model), static_cast<int>(function));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto& [text, pair] = inputs[i];
    job->tokens.push_back(
        count_fitting(model, text, pair ? std::optional<std::string_view>(*pair) : std::nullopt, i,
                      fitting, reply));
  }
  reply.inputs = inputs.size();
  job->inputs = std::move(inputs);
  reply.job = job;
  return job;
}

Reply predict(const Service& service, const Asked& asked) {
  const auto& model = service.choose(
      asked.model, [](const ServedModel& each) { return each.classifier.has_value(); },
      "text classification");
  const Fields fields(asked.body);
  const auto fitting = fitting_of(service, model, fields, false, false);
  const bool raw = fields.boolean("raw_scores", false);
  bool single = false;
  auto inputs = read_predict_inputs(service, fields, single);
  Reply reply;
  reply.batch = !single;
  const auto job = label_job(model, std::move(inputs),
                             raw ? ScoreFunction::none : ScoreFunction::automatic, fitting, reply);
  reply.write = [job = job.get(), single] {
    std::string out;
    if (single) {
      append_labels(out, job->outputs.front());
    } else {
      append_list(out, job->outputs, [&](const auto& labels) { append_labels(out, labels); });
    }
    return out;
  };
  return reply;
}

}  // namespace cloze::serve
