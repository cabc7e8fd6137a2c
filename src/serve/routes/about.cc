#include "serve/routes/about.h"

#include <fmt/format.h>

#include "cloze/version.h"
#include "serve/json/fields.h"
#include "serve/json/writer.h"
#include "serve/request_error.h"

namespace cloze::serve {
namespace {

std::string_view dtype_name(std::string_view dtype) {
  if (dtype == "f32") return "float32";
  return dtype == "bf16" ? "bfloat16" : dtype;
}

void append_labels_of(std::string& out, const BertConfig& config) {
  out += '{';
  append_name(out, "id2label");
  out += '{';
  for (std::size_t i = 0; i < config.id2label.size(); ++i) {
    append_field(out, std::to_string(i), config.id2label[i]);
  }
  out += '}';
  append_name(out, "label2id");
  out += '{';
  for (std::size_t i = 0; i < config.id2label.size(); ++i) {
    append_field(out, config.id2label[i], i);
  }
  out += "}}";
}

void append_type(std::string& out, const ServedModel& model) {
  out += '{';
  if (model.sentence || model.sparse) {
    const auto pooling = model.sparse ? "splade" : name_of(model.sentence->pooling());
    append_name(out, "embedding");
    out += '{';
    append_field(out, "pooling", pooling);
    out += '}';
  } else if (model.classifier || model.tagger) {
    append_name(out, model.ranker       ? "reranker"
                     : model.classifier ? "classifier"
                                        : "token_classifier");
    append_labels_of(out, model.config());
  } else {
    append_name(out, model.reader ? "question_answering" : "masked_lm");
    out += "{}";
  }
  out += '}';
}

void append_model(std::string& out, const ServedModel& model) {
  append_field(out, "model_id", model.given());
  out += ",\"model_sha\":null";
  append_field(out, "model_dtype", dtype_name(model.dtype()));
  append_field(out, "served_model_name", model.name());
  append_name(out, "model_type");
  append_type(out, model);
  append_field(out, "max_input_length", model.max_length());
  append_name(out, "tasks");
  append_list(out, model.tasks(), [&](const std::string& task) { append_json(out, task); });
  if (model.sentence) append_field(out, "dimensions", model.sentence->dimension());
  append_name(out, "prompts");
  append_list(out, model.prompts().prompts,
              [&](const auto& prompt) { append_json(out, prompt.first); });
}

void append_openai(std::string& out, const ServedModel& model, const AboutServer& about) {
  out += '{';
  append_field(out, "id", model.name());
  append_field(out, "object", "model");
  append_field(out, "created", about.started);
  append_field(out, "owned_by", "cloze");
  out += '}';
}

}  // namespace

std::string info_json(const Service& service, const AboutServer& about) {
  std::string out = "{";
  append_model(out, *service.models().front());
  append_field(out, "max_concurrent_requests", about.most_connections);
  append_field(out, "max_batch_tokens", about.batch_tokens);
  out += ",\"max_batch_requests\":null";
  append_field(out, "max_client_batch_size", service.limits().most_inputs);
  append_field(out, "auto_truncate", service.limits().auto_truncate);
  append_field(out, "tokenization_workers", 1);
  append_field(out, "version", cloze::version());
  out += ",\"sha\":null,\"docker_label\":null";
  append_field(out, "max_queue_tokens", about.queue_tokens);
  append_field(out, "threads", about.threads);
  append_field(out, "uptime_s", about.uptime_seconds);
  append_name(out, "models");
  append_list(out, service.models(), [&](const auto& model) {
    out += '{';
    append_model(out, *model);
    out += '}';
  });
  return out + '}';
}

std::string models_json(const Service& service, const AboutServer& about) {
  std::string out = R"({"object":"list","data":)";
  append_list(out, service.models(), [&](const auto& model) { append_openai(out, *model, about); });
  return out + '}';
}

std::string model_json(const Service& service, const std::string& name, const AboutServer& about) {
  for (const auto& model : service.models()) {
    if (model->name() != name && model->given() != name) continue;
    std::string out;
    append_openai(out, *model, about);
    return out;
  }
  throw RequestError(404, "Validation",
                     fmt::format("there is no model {} here: GET /v1/models lists those there are",
                                 in_quotes(name)),
                     "model")
      .with_code("model_not_found");
}

}  // namespace cloze::serve
