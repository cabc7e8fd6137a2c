#include "serve/routes/tasks.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "serve/json/fields.h"
#include "serve/json/writer.h"
#include "serve/request_error.h"
#include "serve/routes/texts.h"
#include "serve/routes/vectors.h"

namespace cloze::serve {
namespace {

using TaskRoute = Reply (*)(const Service&, const Asked&);

constexpr std::array<std::pair<std::string_view, TaskRoute>, 9> kTasks{{
    {"feature-extraction", &embed},
    {"sentence-similarity", &similarity},
    {"sparse-embedding", &embed_sparse},
    {"text-classification", &classify_text},
    {"token-classification", &tag_text},
    {"question-answering", &answer_question},
    {"fill-mask", &fill_mask},
    {"zero-shot-classification", &classify_zero_shot},
    {"text-ranking", &rank_list},
}};

/// {"text", "text_pair"} or a string.
TextOrPair read_text(const nlohmann::json& value, std::size_t index) {
  if (value.is_string()) return {value.get<std::string>()};
  if (!value.is_object()) {
    throw invalid(fmt::format("input {} of `inputs` is {}: it must be a string, or an object with "
                              "`text` and `text_pair`",
                              index, kind_of(value)),
                  "inputs");
  }
  const Fields fields(value, "inputs.");
  return {fields.need_text("text"), fields.text("text_pair")};
}

ScoreFunction function_of(const Fields& parameters) {
  const auto name = parameters.text("function_to_apply");
  if (!name) return ScoreFunction::automatic;
  if (*name == "softmax") return ScoreFunction::softmax;
  if (*name == "sigmoid") return ScoreFunction::sigmoid;
  if (*name == "none") return ScoreFunction::none;
  throw invalid(fmt::format("`parameters.function_to_apply` is {}: it must be \"sigmoid\", "
                            "\"softmax\" or \"none\"",
                            in_quotes(*name)),
                "parameters.function_to_apply");
}

}  // namespace

Reply answer_task(const Service& service, const Asked& asked, std::string_view task) {
  std::string names;
  for (const auto& [name, route] : kTasks) {
    if (name == task) return route(service, asked);
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  throw RequestError(404, "Validation",
                     fmt::format("there is no task {}: there are {}", in_quotes(task), names));
}

Reply answer_default(const Service& service, const Asked& asked) {
  const auto& model = asked.model ? service.named(*asked.model) : *service.models().front();
  const Asked named{asked.body, model.name()};
  const auto* inputs = Fields(asked.body).find("inputs");
  const bool sentences = inputs != nullptr && inputs->is_object();
  const std::string_view task = sentences && model.has("sentence-similarity")
                                    ? "sentence-similarity"
                                    : std::string_view(model.tasks().front());
  if (task == "text-ranking" && inputs != nullptr) return classify_text(service, named);
  return answer_task(service, named, task);
}

void require_unit(const Service& service, std::int64_t tokens, std::size_t index) {
  const auto most = service.limits().most_unit_tokens;
  if (tokens <= most) return;
  throw RequestError(413, "Validation",
                     fmt::format("input {} needs {} tokens of computation, and {} are the most for "
                                 "one: divide it",
                                 index, tokens, most),
                     "inputs");
}

Reply classify_text(const Service& service, const Asked& asked) {
  const auto& model = service.choose(
      asked.model, [](const ServedModel& each) { return each.classifier.has_value(); },
      "text classification");
  const Fields fields(asked.body);
  const auto parameters = fields.object("parameters");
  const auto fitting = fitting_of(service, model, parameters, false, false);
  const auto function = function_of(parameters);
  const auto top = parameters.count("top_k", 1, service.limits().most_top_k);
  const auto& value = fields.need("inputs");
  std::vector<TextOrPair> inputs;
  if (value.is_array()) {
    if (value.empty()) throw empty("`inputs` cannot be empty: send at least one text", "inputs");
    require_batch(service, value.size(), "`inputs`");
    for (const auto& each : value) inputs.push_back(read_text(each, inputs.size()));
  } else {
    inputs.push_back(read_text(value, 0));
  }
  Reply reply;
  reply.batch = value.is_array();
  const auto job = label_job(model, std::move(inputs), function, fitting, reply);
  reply.write = [job = job.get(), top] {
    std::string out;
    append_list(out, job->outputs, [&](std::vector<LabelScore> labels) {
      if (top && static_cast<std::size_t>(*top) < labels.size()) {
        labels.resize(static_cast<std::size_t>(*top));
      }
      append_labels(out, labels);
    });
    return out;
  };
  return reply;
}

}  // namespace cloze::serve
