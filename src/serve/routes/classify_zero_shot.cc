#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "serve/json/fields.h"
#include "serve/json/writer.h"
#include "serve/request_error.h"
#include "serve/routes/inputs.h"
#include "serve/routes/tasks.h"

namespace cloze::serve {
namespace {

using Labels = std::vector<LabelScore>;

void append_scores(std::string& out, const Labels& labels) {
  append_list(out, labels, [&](const LabelScore& each) {
    out += '{';
    append_field(out, "label", each.label);
    append_field(out, "score", static_cast<float>(each.score));
    out += '}';
  });
}

/// Tokens of a text with each of the hypotheses, and whether the longest of them fits.
std::int64_t cost_of(const ServedModel& model, const std::string& text, std::size_t index,
                     const std::vector<std::string>& labels, const std::string& hypothesis,
                     const Fitting& fitting, Reply& reply) {
  const auto longest = std::max_element(
      labels.begin(), labels.end(),
      [](const std::string& a, const std::string& b) { return a.size() < b.size(); });
  auto with = hypothesis;
  if (const auto place = with.find("{}"); place != std::string::npos) {
    with.replace(place, 2, *longest);
  }
  const auto each = count_fitting(model, text, with, index, fitting, reply);
  const auto all = each * static_cast<std::int64_t>(labels.size());
  reply.tokens += all - each;
  return all;
}

}  // namespace

Reply classify_zero_shot(const Service& service, const Asked& asked) {
  const auto& model = service.choose(
      asked.model, [](const ServedModel& each) { return each.zero_shot.has_value(); },
      "zero-shot classification (it is no model of inference)");
  const Fields fields(asked.body);
  const auto parameters = fields.object("parameters");
  const auto fitting = fitting_of(service, model, parameters, false, false);
  (void)parameters.need("candidate_labels");
  const auto labels = *parameters.texts("candidate_labels", service.limits().most_labels);
  if (labels.empty()) {
    throw empty("`parameters.candidate_labels` cannot be empty: send at least one label",
                "parameters.candidate_labels");
  }
  ZeroShotClassificationOptions options;
  if (auto hypothesis = parameters.text("hypothesis_template")) {
    if (hypothesis->find("{}") == std::string::npos) {
      throw invalid("`parameters.hypothesis_template` has no {}, which is where the label goes",
                    "parameters.hypothesis_template");
    }
    options.hypothesis_template = *std::move(hypothesis);
  }
  options.multi_label = parameters.boolean("multi_label", false);
  options.limits.truncate = true;
  bool single = false;
  auto texts = read_texts(service, fields, "inputs", single);
  auto job = std::make_shared<BatchJob<std::string, Labels>>(
      [&model, options, labels](std::span<const std::string> inputs,
                                const ProgressCallback& progress) {
        return (*model.zero_shot)(std::vector<std::string>(inputs.begin(), inputs.end()), labels,
                                  options, progress);
      });
  job->group = fmt::format("zero-shot {} {} {} {}", fmt::ptr(&model), options.multi_label,
                           nlohmann::json(options.hypothesis_template).dump(),
                           nlohmann::json(labels).dump());
  Reply reply;
  reply.batch = !single;
  reply.inputs = texts.size();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto tokens =
        cost_of(model, texts[i], i, labels, options.hypothesis_template, fitting, reply);
    require_unit(service, tokens, i);
    job->tokens.push_back(tokens);
  }
  job->inputs = std::move(texts);
  reply.write = [job = job.get(), single] {
    std::string out;
    if (single) {
      append_scores(out, job->outputs.front());
    } else {
      append_list(out, job->outputs, [&](const Labels& all) { append_scores(out, all); });
    }
    return out;
  };
  reply.job = std::move(job);
  return reply;
}

}  // namespace cloze::serve
