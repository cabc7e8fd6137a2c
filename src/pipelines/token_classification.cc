#include "cloze/token_classification.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "core/strings.h"
#include "datasets/labels.h"
#include "pipelines/aggregation.h"
#include "pipelines/batches.h"
#include "tasks/text_classification.h"
#include "tasks/token_windows.h"

namespace cloze {
namespace {

constexpr std::int64_t shortest_window = 3;  // [CLS], a token, [SEP]

/// The tokens of a window. Throws ArgumentError for options that make none.
std::int64_t window_length(std::int64_t max_length, std::int64_t stride, std::int64_t model_limit) {
  const auto length = internal::length_limit(max_length, model_limit);
  if (length < shortest_window) {
    throw ArgumentError(fmt::format(
        "windows of {} tokens have no room for a token between [CLS] and [SEP]", length));
  }
  if (stride < 0)
    throw ArgumentError(fmt::format("the stride is {}: it must be at least 0", stride));
  return length;
}

}  // namespace

Aggregation aggregation_from(std::string_view name) {
  if (name == "none") return Aggregation::none;
  if (name == "simple") return Aggregation::simple;
  if (name == "first") return Aggregation::first;
  if (name == "max") return Aggregation::max;
  if (name == "average") return Aggregation::average;
  throw ArgumentError(fmt::format(
      "there is no aggregation {}: there are none, simple, first, max and average", excerpt(name)));
}

TokenClassificationPipeline::TokenClassificationPipeline(BertForTokenClassification model,
                                                         Tokenizer tokenizer,
                                                         std::int64_t batch_tokens)
    : Pipeline(std::move(model), std::move(tokenizer), batch_tokens) {}

TokenClassificationPipeline::TokenClassificationPipeline(
    const std::filesystem::path& directory_or_name, const PipelineOptions& options)
    : Pipeline(directory_or_name, options) {}

TokenClassificationPipeline TokenClassificationPipeline::from_pretrained(
    const std::filesystem::path& directory_or_name, const PipelineOptions& options) {
  return {directory_or_name, options};
}

std::vector<std::vector<TaggedEntity>> TokenClassificationPipeline::operator()(
    const Texts& texts, const TokenClassificationOptions& options,
    const ProgressCallback& progress) const {
  internal::require_pairs(texts, false, {});
  const auto length = window_length(options.max_length, options.stride, max_length());
  const EncodeOptions encode{
      .truncation = Truncation::longest_first,
      .max_length = static_cast<std::int32_t>(length),
      .stride = static_cast<std::int32_t>(std::min(options.stride, (length - 2) / 2))};
  std::vector<std::string_view> views;
  views.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) views.push_back(texts[i].first);
  const auto encodings = tokenizer().encode_batch(views, encode);
  std::vector<TokenizedText> windows;
  std::vector<std::size_t> text_of;
  const auto add_window = [&](const Encoding& window, std::size_t text) {
    windows.push_back({window.ids, types_for_model(tokenizer(), window.type_ids)});
    text_of.push_back(text);
  };
  std::vector<std::size_t> first_window;  // of each text
  for (std::size_t i = 0; i < encodings.size(); ++i) {
    first_window.push_back(windows.size());
    add_window(encodings[i], i);
    for (const auto& more : encodings[i].overflowing) add_window(more, i);
  }
  const auto logits = internal::token_rows(
      windows, {"tagging", "texts", batch_tokens(), progress, text_of}, model());
  std::vector<std::vector<TaggedEntity>> result(texts.size());
  constexpr std::int64_t texts_at_once = 16;
  parallel_for(static_cast<std::int64_t>(texts.size()), texts_at_once, [&](std::int64_t index) {
    const auto i = static_cast<std::size_t>(index);
    const auto bounds = internal::code_point_bounds(views[i]);
    auto window = logits.begin() + static_cast<std::ptrdiff_t>(first_window[i]);
    const auto add = [&](const Encoding& encoding) {
      auto found = internal::entities_of({views[i], bounds}, encoding, (window++)->values<float>(),
                                         tokenizer(), config(), options);
      std::move(found.begin(), found.end(), std::back_inserter(result[i]));
    };
    add(encodings[i]);
    for (const auto& more : encodings[i].overflowing) add(more);
    if (!encodings[i].overflowing.empty()) {
      result[i] = internal::without_overlaps(std::move(result[i]));
    }
  });
  return result;
}

std::vector<std::vector<WordLabel>> TokenClassificationPipeline::tag_words(
    std::span<const std::vector<std::string_view>> sentences, const WordTaggingOptions& options,
    const ProgressCallback& progress) const {
  TokenWindows windows(
      tokenizer(), {.max_length = window_length(options.max_length, options.stride, max_length()),
                    .stride = options.stride,
                    .document_context = options.document_context});
  for (const auto& sentence : sentences) {
    if (sentence.empty() || !options.document_context) windows.end_document();
    if (!sentence.empty()) windows.add_sentence(sentence);
  }
  windows.finish();
  std::vector<TokenizedText> texts(windows.size());
  for (std::size_t w = 0; w < windows.size(); ++w) {
    Batch batch;
    windows.append_to(batch, w);
    texts[w] = {std::move(batch.input_ids), std::move(batch.token_type_ids)};
  }
  const auto logits =
      internal::token_rows(texts, {"tagging", "windows", batch_tokens(), progress}, model());
  const auto labels = static_cast<std::size_t>(config().num_labels());
  std::vector<WordLabel> words(static_cast<std::size_t>(windows.words()), {"O", 1.0});
  for (std::size_t w = 0; w < windows.size(); ++w) {
    const auto values = logits[w].values<float>();
    const auto counted = windows.counted_words(w);
    for (std::size_t t = 0; t < counted.size(); ++t) {
      if (counted[t] < 0) continue;
      const auto scores = label_scores(values.subspan(t * labels, labels), ScoreKind::softmax);
      const auto best = best_labels(scores, 1).front();
      words[static_cast<std::size_t>(counted[t])] = {label_of(config(), best.label), best.score};
    }
  }
  std::vector<std::vector<WordLabel>> result;
  auto word = words.begin();
  for (const auto& sentence : sentences) {
    const auto end = word + static_cast<std::ptrdiff_t>(sentence.size());
    result.emplace_back(word, end);
    word = end;
  }
  return result;
}

}  // namespace cloze
