#include "serve/routes/vectors.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "cloze/similarity.h"
#include "cloze/tensor.h"
#include "serve/json/writer.h"
#include "serve/request_error.h"
#include "serve/routes/inputs.h"
#include "serve/routes/unique_id.h"

namespace cloze::serve {
namespace {

using Ids = std::vector<std::int32_t>;
using Vector = std::vector<float>;
using EmbedJob = BatchJob<Ids, Vector>;

constexpr auto can_embed = [](const ServedModel& model) { return model.sentence.has_value(); };

/// How vectors are finished: the first columns, then length 1.
struct Finish {
  bool normalize = true;
  std::size_t columns = 0;
};

Vector row_of(const Tensor& matrix, std::int64_t row) {
  const auto columns = static_cast<std::size_t>(matrix.dim(1));
  const auto values =
      matrix.values<float>().subspan(static_cast<std::size_t>(row) * columns, columns);
  return {values.begin(), values.end()};
}

std::shared_ptr<EmbedJob> embed_job(const ServedModel& model, std::int64_t prompt) {
  auto job = std::make_shared<EmbedJob>(
      [&model, prompt](std::span<const Ids> inputs, const ProgressCallback& progress) {
        const auto vectors = model.sentence->encode_ids(inputs, prompt, progress);
        std::vector<Vector> rows;
        rows.reserve(inputs.size());
        for (std::int64_t i = 0; i < vectors.dim(0); ++i) rows.push_back(row_of(vectors, i));
        return rows;
      });
  job->group = fmt::format("embed {} {}", fmt::ptr(&model), prompt);
  return job;
}

/// The job for inputs, with its part of the reply.
std::shared_ptr<EmbedJob> embed_inputs(const ServedModel& model, const std::vector<Input>& inputs,
                                       const Fitting& fitting, Reply& reply) {
  auto job = embed_job(model, prompt_tokens(model, fitting.prompt));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    job->inputs.push_back(fit(model, inputs[i], i, fitting, reply));
    job->tokens.push_back(static_cast<std::int64_t>(job->inputs.back().size()));
  }
  reply.inputs = inputs.size();
  reply.job = job;
  return job;
}

std::size_t columns_of(const ServedModel& model, const Fields& fields, const std::string& name) {
  const auto most = model.sentence->dimension();
  const auto* const wanted = fields.find(name);
  if (wanted == nullptr) return static_cast<std::size_t>(most);
  return static_cast<std::size_t>(*fields.count(name, 1, most));
}

Vector finished(Vector vector, const Finish& finish) {
  vector.resize(finish.columns);
  if (finish.normalize) {
    auto row = Tensor::from<float>({1, static_cast<std::int64_t>(vector.size())}, vector);
    normalize(row);
    return row_of(row, 0);
  }
  return vector;
}

std::string prompt_for(const ServedModel& model, const std::string& input_type) {
  const auto& prompts = model.prompts().prompts;
  const auto find = [&](std::initializer_list<const char*> names) -> std::string {
    for (const auto* name : names) {
      if (const auto found = prompts.find(name); found != prompts.end()) return found->second;
    }
    return "";
  };
  if (input_type == "search_query") return find({"query"});
  if (input_type == "search_document") return find({"document", "passage"});
  return "";
}

/// Signs, the first dimension in the highest bit.
std::vector<int> sign_bytes(const Vector& vector, bool is_signed) {
  std::vector<int> bytes((vector.size() + 7) / 8, 0);
  for (std::size_t i = 0; i < vector.size(); ++i) {
    if (vector[i] > 0) bytes[i / 8] |= 0x80 >> (i % 8);
  }
  if (is_signed) {
    for (auto& each : bytes) each -= 128;
  }
  return bytes;
}

/// Whether `encoding_format` asks for the values' bytes in base64 and not for numbers.
bool wants_base64(const Fields& fields) {
  const auto format = fields.text("encoding_format").value_or("float");
  if (format != "float" && format != "base64") {
    throw invalid(fmt::format("`encoding_format` is {}: it must be \"float\" or \"base64\"",
                              in_quotes(format)),
                  "encoding_format");
  }
  return format == "base64";
}

}  // namespace

Reply embed(const Service& service, const Asked& asked) {
  const auto& model = service.choose(asked.model, can_embed, "embeddings");
  const Fields fields(asked.body);
  const auto fitting = fitting_of(service, model, fields, true, true);
  const bool base64 = wants_base64(fields);
  const Finish finish{fields.boolean("normalize", true), columns_of(model, fields, "dimensions")};
  bool single = false;
  const auto inputs = read_inputs(service, model, fields, "inputs", single);
  Reply reply;
  reply.batch = !single;
  const auto job = embed_inputs(model, inputs, fitting, reply);
  reply.write = [job = job.get(), finish, base64] {
    std::string out;
    append_list(out, job->outputs, [&](const Vector& vector) {
      const auto values = finished(vector, finish);
      if (base64) {
        append_base64(out, std::span<const float>(values));
      } else {
        append_json(out, std::span<const float>(values));
      }
    });
    return out;
  };
  return reply;
}

Reply embed_all(const Service& service, const Asked& asked) {
  const auto& model = service.choose(asked.model, can_embed, "embeddings of tokens");
  const Fields fields(asked.body);
  const auto fitting = fitting_of(service, model, fields, true, true);
  bool single = false;
  const auto inputs = read_inputs(service, model, fields, "inputs", single);
  Reply reply;
  reply.batch = !single;
  reply.inputs = inputs.size();
  auto job = std::make_shared<BatchJob<Ids, Tensor>>(
      [&model](std::span<const Ids> all, const ProgressCallback&) {
        Batch batch;
        for (const auto& ids : all) batch.append(ids);
        const auto states = model.token_vectors().model()(batch).last_hidden_state;
        std::vector<Tensor> rows;
        for (std::size_t i = 0; i < all.size(); ++i) {
          rows.push_back(states.rows(batch.cu_seqlens[i], batch.cu_seqlens[i + 1]));
        }
        return rows;
      });
  job->group = fmt::format("tokens {}", fmt::ptr(&model));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    job->inputs.push_back(fit(model, inputs[i], i, fitting, reply));
    job->tokens.push_back(static_cast<std::int64_t>(job->inputs.back().size()));
  }
  const auto numbers = reply.tokens * model.config().hidden_size;
  if (numbers > service.limits().most_numbers) {
    throw RequestError(413, "Validation",
                       fmt::format("the answer would have {} numbers, and {} are the most: divide "
                                   "`inputs` over several requests",
                                   numbers, service.limits().most_numbers),
                       "inputs");
  }
  reply.write = [job = job.get()] {
    std::string out;
    append_list(out, job->outputs, [&](const Tensor& states) {
      out += '[';
      for (std::int64_t i = 0; i < states.dim(0); ++i) {
        if (i > 0) out += ',';
        append_json(out, std::span<const float>(row_of(states, i)));
      }
      out += ']';
    });
    return out;
  };
  reply.job = std::move(job);
  return reply;
}

Reply embed_sparse(const Service& service, const Asked& asked) {
  const auto& model = service.choose(
      asked.model, [](const ServedModel& each) { return each.sparse.has_value(); },
      "sparse embeddings");
  const Fields fields(asked.body);
  const auto fitting = fitting_of(service, model, fields, true, false);
  bool single = false;
  auto texts = read_texts(service, fields, "inputs", single);
  using Weights = std::vector<std::pair<std::int32_t, float>>;
  auto job = std::make_shared<BatchJob<std::string, Weights>>(
      [&model, prompt = fitting.prompt](std::span<const std::string> inputs,
                                        const ProgressCallback& progress) {
        const auto vectors =
            model.sparse->encode(std::vector<std::string>(inputs.begin(), inputs.end()),
                                 {.truncate = true, .prompt = prompt}, progress);
        std::vector<Weights> all(vectors.rows());
        for (std::size_t i = 0; i < all.size(); ++i) {
          const auto indices = vectors.indices_of(i);
          const auto values = vectors.values_of(i);
          for (std::size_t k = 0; k < indices.size(); ++k)
            all[i].emplace_back(indices[k], values[k]);
        }
        return all;
      });
  job->group = fmt::format("sparse {} {}", fmt::ptr(&model), fitting.prompt);
  Reply reply;
  reply.batch = !single;
  reply.inputs = texts.size();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    job->tokens.push_back(count_fitting(model, texts[i], std::nullopt, i, fitting, reply));
  }
  job->inputs = std::move(texts);
  reply.write = [job = job.get()] {
    std::string out;
    append_list(out, job->outputs, [&](const Weights& weights) {
      append_list(out, weights, [&](const auto& each) {
        out += '{';
        append_field(out, "index", each.first);
        append_field(out, "value", each.second);
        out += '}';
      });
    });
    return out;
  };
  reply.job = std::move(job);
  return reply;
}

Reply similarity(const Service& service, const Asked& asked) {
  const auto& model = service.choose(asked.model, can_embed, "sentence similarity");
  const Fields fields(asked.body);
  (void)fields.need("inputs");
  const auto inputs = fields.object("inputs");
  const auto fitting = fitting_of(service, model, fields.object("parameters"), true, true);
  std::vector<Input> texts{inputs.need_text("source_sentence")};
  (void)inputs.need("sentences");
  const auto sentences = *inputs.texts("sentences", service.limits().most_inputs);
  if (sentences.empty()) {
    throw empty("`inputs.sentences` cannot be empty: send at least one", "inputs.sentences");
  }
  texts.insert(texts.end(), sentences.begin(), sentences.end());
  Reply reply;
  reply.batch = true;
  const auto job = embed_inputs(model, texts, fitting, reply);
  reply.write = [job = job.get()] {
    std::string out;
    const auto& first = job->outputs.front();
    append_list(out, std::span(job->outputs).subspan(1), [&](const Vector& vector) {
      append_json(out, static_cast<float>(cosine(first, vector)));
    });
    return out;
  };
  return reply;
}

Reply openai_embeddings(const Service& service, const Asked& asked) {
  const auto& model = service.choose(asked.model, can_embed, "embeddings");
  const Fields fields(asked.body);
  auto fitting = fitting_of(service, model, fields, true, true);
  const bool base64 = wants_base64(fields);
  const Finish finish{fields.boolean("normalize", true), columns_of(model, fields, "dimensions")};
  bool single = false;
  const auto inputs = read_inputs(service, model, fields, "input", single);
  Reply reply;
  reply.batch = !single;
  const auto job = embed_inputs(model, inputs, fitting, reply);
  reply.write = [job = job.get(), finish, base64, tokens = reply.tokens, &model] {
    std::string out = "{";
    append_field(out, "object", "list");
    append_name(out, "data");
    std::size_t index = 0;
    append_list(out, job->outputs, [&](const Vector& vector) {
      const auto values = finished(vector, finish);
      out += '{';
      append_field(out, "object", "embedding");
      append_field(out, "index", index++);
      append_name(out, "embedding");
      if (base64) {
        append_base64(out, std::span<const float>(values));
      } else {
        append_json(out, std::span<const float>(values));
      }
      out += '}';
    });
    append_field(out, "model", model.name());
    append_name(out, "usage");
    out += fmt::format("{{\"prompt_tokens\":{0},\"total_tokens\":{0}}}", tokens);
    return out + '}';
  };
  return reply;
}

Reply cohere_embed(const Service& service, const Asked& asked) {
  const auto& model = service.choose(asked.model, can_embed, "embeddings");
  const Fields fields(asked.body);
  if (fields.has("images")) throw invalid("`images`: this model reads texts", "images");
  const auto truncate = fields.text("truncate").value_or("END");
  if (truncate != "NONE" && truncate != "START" && truncate != "END") {
    throw invalid(fmt::format("`truncate` is {}: it must be \"NONE\", \"START\" or \"END\"",
                              in_quotes(truncate)),
                  "truncate");
  }
  const Fitting fitting{.truncate = truncate != "NONE",
                        .left = truncate == "START",
                        .prompt = prompt_for(model, fields.text("input_type").value_or(""))};
  auto types = fields.texts("embedding_types", 8).value_or(std::vector<std::string>{"float"});
  if (types.empty()) types = {"float"};
  for (const auto& type : types) {
    if (type == "float" || type == "base64" || type == "binary" || type == "ubinary") continue;
    throw invalid(fmt::format("`embedding_types` has {}: there are \"float\", \"base64\", "
                              "\"binary\" and \"ubinary\"",
                              in_quotes(type)),
                  "embedding_types");
  }
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  const Finish finish{true, columns_of(model, fields, "output_dimension")};
  bool single = false;
  (void)fields.need("texts");
  const auto texts = read_texts(service, fields, "texts", single);
  Reply reply;
  reply.batch = true;
  const auto job =
      embed_inputs(model, std::vector<Input>(texts.begin(), texts.end()), fitting, reply);
  reply.write = [job = job.get(), finish, types, texts, tokens = reply.tokens] {
    std::vector<Vector> vectors;
    vectors.reserve(job->outputs.size());
    for (const auto& each : job->outputs) vectors.push_back(finished(each, finish));
    std::string out = "{";
    append_field(out, "id", unique_id());
    append_field(out, "response_type", "embeddings_by_type");
    append_name(out, "embeddings");
    out += '{';
    for (const auto& type : types) {
      append_name(out, type);
      append_list(out, vectors, [&](const Vector& vector) {
        if (type == "float") {
          append_json(out, std::span<const float>(vector));
        } else if (type == "base64") {
          append_base64(out, std::span<const float>(vector));
        } else {
          append_list(out, sign_bytes(vector, type == "binary"),
                      [&](int byte) { append_json(out, byte); });
        }
      });
    }
    out += '}';
    append_name(out, "texts");
    append_list(out, texts, [&](const std::string& text) { append_json(out, text); });
    append_name(out, "meta");
    out += fmt::format(
        "{{\"api_version\":{{\"version\":\"2\"}},\"billed_units\":{{\"input_tokens\":{}}}}}",
        tokens);
    return out + '}';
  };
  return reply;
}

}  // namespace cloze::serve
