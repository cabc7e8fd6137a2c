#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "serve/json/writer.h"
#include "serve/request_error.h"
#include "serve/routes/texts.h"
#include "serve/routes/unique_id.h"

namespace cloze::serve {
namespace {

using nlohmann::json;

struct Pair {
  std::shared_ptr<const std::string> query;
  std::string document;
};
using RankJob = BatchJob<Pair, double>;  // logits

struct Ranked {
  std::size_t index = 0;
  double logit = 0;
};

const ServedModel& ranking_model(const Service& service, const Asked& asked) {
  return service.choose(
      asked.model, [](const ServedModel& each) { return each.ranker.has_value(); },
      "reranking (it is no cross-encoder)");
}

/// A list of strings or of {"text": string}.
std::vector<std::string> read_documents(const Service& service, const Fields& fields,
                                        const std::string& name) {
  const auto& value = fields.need(name);
  if (!value.is_array()) {
    throw invalid(
        fmt::format("{} is {}: it must be a list of strings", fields.shown(name), kind_of(value)),
        name);
  }
  if (value.empty()) {
    throw empty(fmt::format("{} cannot be empty: send at least one", fields.shown(name)), name);
  }
  require_batch(service, value.size(), fields.shown(name));
  std::vector<std::string> documents;
  documents.reserve(value.size());
  for (const auto& each : value) {
    const auto* text = &each;
    if (each.is_object()) {
      const auto found = each.find("text");
      text = found == each.end() ? nullptr : &*found;
    }
    if (text == nullptr || !text->is_string()) {
      throw invalid(fmt::format("element {} of {} must be a string, or an object with `text`",
                                documents.size(), fields.shown(name)),
                    name);
    }
    documents.push_back(text->get<std::string>());
  }
  return documents;
}

std::shared_ptr<RankJob> rank_job(const ServedModel& model, const std::string& query,
                                  std::vector<std::string> documents, const Fitting& fitting,
                                  Reply& reply) {
  auto job = std::make_shared<RankJob>(
      [&model](std::span<const Pair> all, const ProgressCallback& progress) {
        std::vector<TextPair> pairs;
        pairs.reserve(all.size());
        for (const auto& each : all) pairs.push_back({*each.query, each.document});
        return model.ranker->logits(pairs, {.limits = {.truncate = true}}, progress);
      });
  job->group = fmt::format("rank {}", fmt::ptr(&model));
  const auto shared = std::make_shared<const std::string>(query);
  const auto prompt = model.prompts().resolve(std::nullopt, std::nullopt);
  auto prompted = fitting;
  prompted.prompt = prompt;
  for (auto& document : documents) {
    job->tokens.push_back(
        count_fitting(model, query, document, job->inputs.size(), prompted, reply));
    job->inputs.push_back({shared, std::move(document)});
  }
  reply.inputs = job->inputs.size();
  reply.batch = true;
  reply.job = job;
  return job;
}

/// Best first, equal ones in order.
std::vector<Ranked> ranked(const RankJob& job, std::size_t top) {
  std::vector<Ranked> all;
  for (std::size_t i = 0; i < job.outputs.size(); ++i) all.push_back({i, job.outputs[i]});
  std::stable_sort(all.begin(), all.end(),
                   [](const Ranked& a, const Ranked& b) { return a.logit > b.logit; });
  all.resize(std::min(all.size(), top));
  return all;
}

/// The documents as a list of {index, score, text?}.
Reply list_reply(const Service& service, const Asked& asked, const std::string& documents_name) {
  const auto& model = ranking_model(service, asked);
  const Fields fields(asked.body);
  const auto fitting = fitting_of(service, model, fields, false, false);
  const bool raw = fields.boolean("raw_scores", false);
  const bool texts =
      fields.boolean("return_text", false) || fields.boolean("return_documents", false);
  const auto top = fields.count("top_n", 0, std::numeric_limits<std::int64_t>::max()).value_or(0);
  const auto query = fields.need_text("query");
  auto documents = read_documents(service, fields, documents_name);
  Reply reply;
  const auto job = rank_job(model, query, std::move(documents), fitting, reply);
  reply.write = [job = job.get(), &model, raw, texts, top] {
    std::string out;
    const auto most = top > 0 ? static_cast<std::size_t>(top) : job->outputs.size();
    append_list(out, ranked(*job, most), [&](const Ranked& each) {
      const auto score = raw ? each.logit : model.ranker->score(each.logit, ScoreFunction::sigmoid);
      out += '{';
      append_field(out, "index", each.index);
      append_field(out, "score", static_cast<float>(score));
      if (texts) append_field(out, "text", job->inputs[each.index].document);
      out += '}';
    });
    return out;
  };
  return reply;
}

}  // namespace

Reply rank_list(const Service& service, const Asked& asked) {
  const bool documents = Fields(asked.body).has("documents");
  return list_reply(service, asked, documents ? "documents" : "texts");
}

Reply rerank(const Service& service, const Asked& asked) {
  const Fields fields(asked.body);
  if (!fields.has("texts") && fields.has("documents")) return jina_rerank(service, asked);
  return list_reply(service, asked, "texts");
}

Reply jina_rerank(const Service& service, const Asked& asked) {
  const auto& model = ranking_model(service, asked);
  const Fields fields(asked.body);
  if (!fields.has("documents") && fields.has("texts")) return list_reply(service, asked, "texts");
  const auto fitting = fitting_of(service, model, fields, false, false);
  const bool raw = fields.boolean("raw_scores", false);
  const bool texts = fields.boolean("return_documents", false);
  const auto top = fields.count("top_n", 0, std::numeric_limits<std::int64_t>::max()).value_or(0);
  const auto query = fields.need_text("query");
  auto documents = read_documents(service, fields, "documents");
  Reply reply;
  const auto job = rank_job(model, query, std::move(documents), fitting, reply);
  reply.write = [job = job.get(), &model, raw, texts, top, tokens = reply.tokens] {
    std::string out = "{";
    append_field(out, "id", "rerank-" + unique_id());
    append_field(out, "object", "list");
    append_field(out, "model", model.name());
    append_name(out, "usage");
    out += fmt::format("{{\"prompt_tokens\":{0},\"total_tokens\":{0}}}", tokens);
    append_name(out, "results");
    const auto most = top > 0 ? static_cast<std::size_t>(top) : job->outputs.size();
    append_list(out, ranked(*job, most), [&](const Ranked& each) {
      const auto score = raw ? each.logit : model.ranker->score(each.logit, ScoreFunction::sigmoid);
      out += '{';
      append_field(out, "index", each.index);
      append_field(out, "relevance_score", static_cast<float>(score));
      if (texts) {
        append_name(out, "document");
        out += '{';
        append_field(out, "text", job->inputs[each.index].document);
        out += '}';
      }
      out += '}';
    });
    return out + '}';
  };
  return reply;
}

Reply cohere_rerank(const Service& service, const Asked& asked) {
  const auto& model = ranking_model(service, asked);
  const Fields fields(asked.body);
  const auto top = fields.count("top_n", 1, std::numeric_limits<std::int64_t>::max());
  const auto query = fields.need_text("query");
  auto documents = read_documents(service, fields, "documents");
  Reply reply;
  const auto job = rank_job(model, query, std::move(documents), {.truncate = true}, reply);
  reply.write = [job = job.get(), &model, top, tokens = reply.tokens] {
    std::string out = "{";
    append_field(out, "id", unique_id());
    append_name(out, "results");
    const auto most = top ? static_cast<std::size_t>(*top) : job->outputs.size();
    append_list(out, ranked(*job, most), [&](const Ranked& each) {
      out += '{';
      append_field(out, "index", each.index);
      append_field(out, "relevance_score",
                   static_cast<float>(model.ranker->score(each.logit, ScoreFunction::sigmoid)));
      out += '}';
    });
    append_name(out, "meta");
    out += fmt::format(
        "{{\"api_version\":{{\"version\":\"2\"}},\"billed_units\":{{\"search_units\":1}},"
        "\"tokens\":{{\"input_tokens\":{}}}}}",
        tokens);
    return out + '}';
  };
  return reply;
}

}  // namespace cloze::serve
