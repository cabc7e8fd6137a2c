#include "inspect/explanation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"
#include "core/vectors.h"
#include "inspect/inspected_text.h"
#include "tasks/top_tokens.h"

namespace cloze {
namespace {

namespace heads = internal::heads;

constexpr std::array<std::pair<std::string_view, AnswerKind>, 6> kKinds{{
    {"auto", AnswerKind::automatic},
    {"label", AnswerKind::label},
    {"tag", AnswerKind::tag},
    {"answer", AnswerKind::answer},
    {"mask", AnswerKind::mask},
    {"next", AnswerKind::next},
}};
constexpr std::size_t kCandidates = 8;
constexpr std::int32_t kMostAnswerTokens = 30;  // as the SQuAD scripts have it

std::string label_name(const BertConfig& config, std::int32_t id) {
  const auto at = static_cast<std::size_t>(id);
  return at < config.id2label.size() ? config.id2label[at] : fmt::format("LABEL_{}", id);
}

std::int32_t label_id(const BertConfig& config, std::string_view name, std::int64_t labels) {
  std::vector<std::string> known;
  for (std::int32_t id = 0; id < labels; ++id) {
    if (label_name(config, id) == name) return id;
    known.push_back(label_name(config, id));
  }
  throw ArgumentError(fmt::format("there is no label {}: this model has {}", in_quotes(name),
                                  excerpt_of_list(known)));
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

void require_target_of_none(const ExplanationOptions& options) {
  if (!options.target.empty()) {
    throw ArgumentError(
        fmt::format("the question \"{}\" has no target to choose", name_of(options.kind)));
  }
}

/// The likeliest of a row's labels, and the one that was asked for.
void choose_label(Explanation& result, const BertConfig& config, std::span<const float> logits,
                  const ExplanationOptions& options, std::int32_t token, bool independent) {
  const auto probability = [&](const TokenProbability& label) {
    return independent ? sigmoid(logits[static_cast<std::size_t>(label.id)]) : label.probability;
  };
  const auto all = top_tokens(logits, logits.size(), logits.size());
  auto chosen = all.front();
  if (!options.target.empty()) {
    const auto wanted = label_id(config, options.target, static_cast<std::int64_t>(logits.size()));
    chosen = *std::find_if(all.begin(), all.end(), [&](const auto& l) { return l.id == wanted; });
  }
  for (const auto& label : std::span(all).first(std::min(kCandidates, all.size()))) {
    result.candidates.push_back({label_name(config, label.id), probability(label)});
  }
  result.logits = {{.token = token, .output = chosen.id}};
  result.answer = label_name(config, chosen.id);
  result.probability = probability(chosen);
}

Explanation explain_label(const std::filesystem::path& directory, const InspectedText& text,
                          const ExplanationOptions& options, const LoadOptions& load) {
  const auto model = BertForSequenceClassification::from_pretrained(directory, load);
  const auto logits = model(text.batch);
  Explanation result{.kind = AnswerKind::label};
  const auto& config = model.config();
  if (logits.dim(1) == 1) {
    require_target_of_none(options);
    result.regression = true;
    result.logits = {{}};
    result.probability = static_cast<double>(logits.values<float>().front());
    result.answer = fmt::format("{:.4f}", result.probability);
    result.score = "the value";
    return result;
  }
  choose_label(result, config, row_of(logits, 0), options, 0,
               config.problem_type == "multi_label_classification");
  result.score = fmt::format("the logit of label {}", result.answer);
  return result;
}

/// The token whose tag is the surest, those tagged "O" only if there is nothing else.
std::int32_t surest_tag(const BertConfig& config, const Tensor& logits, const InspectedText& text) {
  std::pair<bool, double> best{false, -1};
  std::int32_t at = 0;
  for (std::size_t i = 0; i < text.encoding.ids.size(); ++i) {
    if (text.encoding.special_tokens_mask[i] != 0) continue;
    const auto row = row_of(logits, static_cast<std::int64_t>(i));
    const auto top = top_tokens(row, row.size(), 1).front();
    const std::pair<bool, double> rank{label_name(config, top.id) != "O", top.probability};
    if (rank > best) {
      best = rank;
      at = static_cast<std::int32_t>(i);
    }
  }
  return at;
}

std::int32_t required_token(const InspectedText& text, std::int64_t at) {
  if (at >= text.tokens()) {
    throw ArgumentError(
        fmt::format("there is no token {}: the text has {}, counted from 0", at, text.tokens()));
  }
  return static_cast<std::int32_t>(at);
}

Explanation explain_tag(const std::filesystem::path& directory, const InspectedText& text,
                        const ExplanationOptions& options, const LoadOptions& load) {
  const auto model = BertForTokenClassification::from_pretrained(directory, load);
  const auto logits = model(text.batch);
  Explanation result{.kind = AnswerKind::tag};
  result.at =
      options.at >= 0 ? required_token(text, options.at) : surest_tag(model.config(), logits, text);
  choose_label(result, model.config(), row_of(logits, result.at), options, result.at, false);
  result.score = fmt::format("the logit of tag {} at token {} ({})", result.answer, result.at,
                             text.encoding.tokens[static_cast<std::size_t>(result.at)]);
  return result;
}

void require_pair(const InspectedText& text, std::string_view why) {
  if (!text.pair) throw ArgumentError(fmt::format("{}: give it as the pair", why));
}

Explanation explain_answer(const std::filesystem::path& directory, const InspectedText& text,
                           const ExplanationOptions& options, const LoadOptions& load) {
  require_pair(text, "an answer is looked for in a second text");
  require_target_of_none(options);
  const auto model = BertForQuestionAnswering::from_pretrained(directory, load);
  const auto output = model(text.batch);
  const auto starts = output.start_logits.values<float>(), ends = output.end_logits.values<float>();
  struct Candidate {
    double logit;
    std::int32_t begin, end;
  };
  std::vector<Candidate> spans;
  const auto count = static_cast<std::int32_t>(text.tokens());
  const auto inside = [&](std::int32_t i) {
    return text.encoding.sequence_ids[static_cast<std::size_t>(i)] == 1;
  };
  for (std::int32_t begin = 0; begin < count; ++begin) {
    const auto last = std::min(count, begin + kMostAnswerTokens);
    for (std::int32_t end = begin; end < last && inside(begin) && inside(end); ++end) {
      spans.push_back({static_cast<double>(starts[static_cast<std::size_t>(begin)]) +
                           static_cast<double>(ends[static_cast<std::size_t>(end)]),
                       begin, end});
    }
  }
  const auto best = std::min(kCandidates, spans.size());
  std::partial_sort(spans.begin(), spans.begin() + static_cast<std::ptrdiff_t>(best), spans.end(),
                    [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
  const double total = log_sum_exp(starts) + log_sum_exp(ends);
  Explanation result{.kind = AnswerKind::answer};
  for (const auto& span : std::span(spans).first(best)) {
    result.candidates.push_back(
        {surface(text, span.begin, span.end + 1), std::exp(span.logit - total)});
  }
  const auto& chosen = spans.front();
  result.logits = {{.token = chosen.begin, .output = 0}, {.token = chosen.end, .output = 1}};
  result.answer = result.candidates.front().name;
  result.probability = result.candidates.front().probability;
  result.at = chosen.begin;
  result.score = fmt::format("the start logit of token {} plus the end logit of token {}",
                             chosen.begin, chosen.end);
  return result;
}

std::int32_t chosen_mask(const Tokenizer& tokenizer, const InspectedText& text, std::int64_t at) {
  const auto mask = tokenizer.mask_token_id();
  if (!mask) throw ModelError("the vocabulary has no mask token, so there is nothing to fill");
  const auto& ids = text.encoding.ids;
  if (at < 0) {
    const auto found = std::find(ids.begin(), ids.end(), *mask);
    if (found == ids.end())
      throw ArgumentError(
          fmt::format("the text has no {} to explain", tokenizer.id_to_token(*mask)));
    return static_cast<std::int32_t>(found - ids.begin());
  }
  const auto token = required_token(text, at);
  if (ids[static_cast<std::size_t>(token)] != *mask) {
    throw ArgumentError(
        fmt::format("token {} is {}, not a {}", token,
                    in_quotes(text.encoding.tokens[static_cast<std::size_t>(token)]),
                    tokenizer.id_to_token(*mask)));
  }
  return token;
}

Explanation explain_mask(const std::filesystem::path& directory, const Tokenizer& tokenizer,
                         const InspectedText& text, const ExplanationOptions& options,
                         const LoadOptions& load) {
  const auto at = chosen_mask(tokenizer, text, options.at);
  const auto model = BertForMaskedLM::from_pretrained(directory, load);
  const auto logits = model(text.batch, std::span(&at, 1));
  const auto words = static_cast<std::size_t>(tokenizer.vocab_size());
  const auto row = row_of(logits, 0);
  const auto top = top_tokens(row, words, std::min(kCandidates, words));
  Explanation result{.kind = AnswerKind::mask};
  for (const auto& token : top) {
    result.candidates.push_back({std::string(tokenizer.id_to_token(token.id)), token.probability});
  }
  auto chosen = top.front();
  if (!options.target.empty()) {
    const auto id = tokenizer.token_to_id(options.target);
    if (!id) {
      throw ArgumentError(
          fmt::format("{} is not a token of the vocabulary", in_quotes(options.target)));
    }
    chosen = {.id = *id,
              .probability = std::exp(static_cast<double>(row[static_cast<std::size_t>(*id)]) -
                                      log_sum_exp(row))};
  }
  result.logits = {{.token = at, .output = chosen.id}};
  result.answer = tokenizer.id_to_token(chosen.id);
  result.probability = chosen.probability;
  result.at = at;
  result.score = fmt::format("the logit of \"{}\" at the mask (token {})", result.answer, at);
  return result;
}

Explanation explain_next(const std::filesystem::path& directory, const InspectedText& text,
                         const ExplanationOptions& options, const LoadOptions& load) {
  require_pair(text, "next sentence prediction is about a second text");
  require_target_of_none(options);
  const auto model = BertForNextSentencePrediction::from_pretrained(directory, load);
  const auto logits = model(text.batch);
  const auto row = row_of(logits, 0);
  const auto top = top_tokens(row, row.size(), 2);
  const auto name = [](std::int32_t id) { return id == 0 ? "is next" : "is random"; };
  Explanation result{.kind = AnswerKind::next};
  for (const auto& [id, probability] : top) result.candidates.push_back({name(id), probability});
  result.logits = {{.output = top.front().id}};
  result.answer = name(top.front().id);
  result.probability = top.front().probability;
  result.score = fmt::format("the logit of \"{}\"", result.answer);
  return result;
}

/// Whether the checkpoint has the head.
bool has_head(const ModelInfo& model, const internal::HeadKind& wanted) {
  return std::any_of(model.heads.begin(), model.heads.end(),
                     [&](const HeadInfo& head) { return head.pipeline == wanted.pipeline; });
}

/// The first kind of answer that model and text have; `automatic` where there is none.
AnswerKind automatic_kind(const ModelInfo& model, const Tokenizer& tokenizer,
                          const InspectedText& text, std::string& reason) {
  if (has_head(model, heads::sequence_classification)) return AnswerKind::label;
  if (has_head(model, heads::token_classification)) return AnswerKind::tag;
  if (has_head(model, heads::question_answering) && text.pair) return AnswerKind::answer;
  const auto& ids = text.encoding.ids;
  const auto mask = tokenizer.mask_token_id();
  const bool masked = mask && std::find(ids.begin(), ids.end(), *mask) != ids.end();
  if (has_head(model, heads::masked_lm) && masked) return AnswerKind::mask;
  if (has_head(model, heads::next_sentence) && text.pair) return AnswerKind::next;
  if (model.heads.empty()) {
    reason = "this checkpoint is an encoder without a head: there is no answer to explain";
  } else if (has_head(model, heads::multiple_choice)) {
    reason = "the choice among several texts is not explained here";
  } else if (has_head(model, heads::question_answering)) {
    reason = "a question needs a second text to be answered from, the pair";
  } else {
    reason = "the text has no mask, so the model predicts nothing that could be explained";
  }
  return AnswerKind::automatic;
}

}  // namespace

AnswerKind answer_kind_from(std::string_view name) {
  for (const auto& [known, kind] : kKinds) {
    if (known == name) return kind;
  }
  throw ArgumentError(
      fmt::format("{} is not one of auto, label, tag, answer, mask, next", in_quotes(name)));
}

std::string_view name_of(AnswerKind kind) {
  return std::find_if(kKinds.begin(), kKinds.end(),
                      [&](const auto& known) { return known.second == kind; })
      ->first;
}

const internal::HeadKind& head_of(AnswerKind kind) {
  switch (kind) {
    case AnswerKind::label:
      return heads::sequence_classification;
    case AnswerKind::tag:
      return heads::token_classification;
    case AnswerKind::answer:
      return heads::question_answering;
    case AnswerKind::mask:
      return heads::masked_lm;
    case AnswerKind::next:
      return heads::next_sentence;
    case AnswerKind::automatic:
      break;
  }
  throw ArgumentError("an answer of no kind has no head");
}

std::optional<Explanation> explanation(const ModelInfo& model, const Tokenizer& tokenizer,
                                       const InspectedText& text, const ExplanationOptions& options,
                                       const LoadOptions& load, std::string& reason) {
  auto kind = options.kind;
  if (kind == AnswerKind::automatic) {
    kind = automatic_kind(model, tokenizer, text, reason);
  }
  if (options.at >= 0 && kind != AnswerKind::tag && kind != AnswerKind::mask &&
      kind != AnswerKind::automatic) {
    throw ArgumentError(fmt::format("the question \"{}\" is about no single token", name_of(kind)));
  }
  switch (kind) {
    case AnswerKind::label:
      return explain_label(model.directory, text, options, load);
    case AnswerKind::tag:
      return explain_tag(model.directory, text, options, load);
    case AnswerKind::answer:
      return explain_answer(model.directory, text, options, load);
    case AnswerKind::mask:
      return explain_mask(model.directory, tokenizer, text, options, load);
    case AnswerKind::next:
      return explain_next(model.directory, text, options, load);
    case AnswerKind::automatic:
      break;
  }
  return std::nullopt;
}

}  // namespace cloze
