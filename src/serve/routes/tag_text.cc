#include <utility>

#include <fmt/format.h>

#include "serve/json/fields.h"
#include "serve/json/writer.h"
#include "serve/request_error.h"
#include "serve/routes/inputs.h"
#include "serve/routes/tasks.h"

namespace cloze::serve {
namespace {

using Entities = std::vector<TaggedEntity>;

void append_entities(std::string& out, const Entities& entities, bool groups) {
  append_list(out, entities, [&](const TaggedEntity& entity) {
    out += '{';
    append_field(out, groups ? "entity_group" : "entity", entity.label);
    if (!groups) append_field(out, "index", entity.index);
    append_field(out, "score", static_cast<float>(entity.score));
    append_field(out, "word", entity.word);
    append_field(out, "start", entity.offsets.begin);
    append_field(out, "end", entity.offsets.end);
    out += '}';
  });
}

TokenClassificationOptions options_of(const ServedModel& model, const Fields& parameters) {
  TokenClassificationOptions options;
  if (const auto name = parameters.text("aggregation_strategy")) {
    try {
      options.aggregation = aggregation_from(*name);
    } catch (const ArgumentError&) {
      throw invalid(fmt::format("`parameters.aggregation_strategy` is {}: it must be \"none\", "
                                "\"simple\", \"first\", \"average\" or \"max\"",
                                in_quotes(*name)),
                    "parameters.aggregation_strategy");
    }
  }
  if (auto ignored = parameters.texts("ignore_labels", 1000)) {
    options.ignore_labels = *std::move(ignored);
  }
  options.stride = parameters.count("stride", 0, model.max_length() / 2).value_or(options.stride);
  return options;
}

}  // namespace

Reply tag_text(const Service& service, const Asked& asked) {
  const auto& model = service.choose(
      asked.model, [](const ServedModel& each) { return each.tagger.has_value(); },
      "token classification");
  const Fields fields(asked.body);
  const auto options = options_of(model, fields.object("parameters"));
  bool single = false;
  auto texts = read_texts(service, fields, "inputs", single);
  auto job = std::make_shared<BatchJob<std::string, Entities>>(
      [&model, options](std::span<const std::string> inputs, const ProgressCallback& progress) {
        return (*model.tagger)(std::vector<std::string>(inputs.begin(), inputs.end()), options,
                               progress);
      });
  job->group = fmt::format("tag {} {} {}", fmt::ptr(&model), static_cast<int>(options.aggregation),
                           options.stride);
  job->group += nlohmann::json(options.ignore_labels).dump();
  Reply reply;
  reply.batch = !single;
  reply.inputs = texts.size();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto tokens = model.tokenizer().count_tokens(texts[i]);  // read in windows
    require_unit(service, tokens, i);
    reply.characters += texts[i].size();
    reply.tokens += tokens;
    job->tokens.push_back(tokens);
  }
  job->inputs = std::move(texts);
  reply.write = [job = job.get(), single, groups = options.aggregation != Aggregation::none] {
    std::string out;
    if (single) {
      append_entities(out, job->outputs.front(), groups);
    } else {
      append_list(out, job->outputs,
                  [&](const Entities& entities) { append_entities(out, entities, groups); });
    }
    return out;
  };
  reply.job = std::move(job);
  return reply;
}

}  // namespace cloze::serve
