#include "tasks/tagger.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "core/utf8.h"
#include "datasets/batching.h"
#include "datasets/labels.h"
#include "tasks/text_classification.h"
#include "tasks/token_windows.h"
#include "text/encode/decode.h"

namespace cloze {
namespace {

/// A token that is not special, and what the model thinks of it: the pipeline's pre-entity.
struct Piece {
  std::string word;
  std::vector<double> scores;
  Span offsets;
  std::int32_t index = 0;
  bool is_subword = false;
};

/// A token or a word with its label: the pipeline's entity.
struct Labelled {
  std::size_t label = 0;
  double score = 0;
  std::string word;
  Span offsets;
  std::int32_t index = -1;
};

std::size_t best_of(const std::vector<double>& scores) {
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

/// Where each code point of a text begins, and its end.
std::vector<std::size_t> code_point_bounds(std::string_view text) {
  std::vector<std::size_t> bounds;
  bounds.reserve(text.size() + 1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (utf8::begins_code_point(text[i])) bounds.push_back(i);
  }
  bounds.push_back(text.size());
  return bounds;
}

/// Tokens or words as a text, as the WordPiece decoder of tokenizers joins them.
std::string join(const std::vector<std::string>& words) {
  const std::vector<std::string_view> views(words.begin(), words.end());
  return text::decode_pieces(views, "##", true, false);
}

std::vector<Piece> pieces_of(const Encoding& window, std::span<const float> logits,
                             std::size_t labels, std::string_view text,
                             const std::vector<std::size_t>& bounds, const Tokenizer& tokenizer) {
  std::vector<Piece> pieces;
  for (std::size_t t = 0; t < window.ids.size(); ++t) {
    if (window.special_tokens_mask[t] != 0) continue;
    Piece piece;
    piece.word = window.tokens[t];
    piece.scores = label_scores(logits.subspan(t * labels, labels), ScoreKind::softmax);
    piece.offsets = window.offsets[t];
    piece.index = static_cast<std::int32_t>(t);
    const auto begin = static_cast<std::size_t>(piece.offsets.begin);
    const auto end = static_cast<std::size_t>(piece.offsets.end);
    // A token that is longer than its text has a "##".
    piece.is_subword =
        utf8::count_code_points(piece.word) != piece.offsets.end - piece.offsets.begin;
    if (window.ids[t] == tokenizer.unk_token_id()) {
      piece.word = std::string(text.substr(bounds[begin], bounds[end] - bounds[begin]));
      piece.is_subword = false;
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

Labelled label_word(std::span<const Piece> pieces, Aggregation aggregation) {
  std::vector<std::string> words;
  for (const auto& piece : pieces) words.push_back(piece.word);
  Labelled word{.word = join(words),
                .offsets = {pieces.front().offsets.begin, pieces.back().offsets.end}};
  auto scores = pieces.front().scores;
  if (aggregation == Aggregation::max) {
    double surest = -1;
    for (const auto& piece : pieces) {
      const double top = piece.scores[best_of(piece.scores)];
      if (top > surest) {
        surest = top;
        scores = piece.scores;
      }
    }
  } else if (aggregation == Aggregation::average) {
    for (std::size_t p = 1; p < pieces.size(); ++p) {
      for (std::size_t l = 0; l < scores.size(); ++l) scores[l] += pieces[p].scores[l];
    }
    for (auto& score : scores) score /= static_cast<double>(pieces.size());
  }
  word.label = best_of(scores);
  word.score = scores[word.label];
  return word;
}

std::vector<Labelled> label_words(const std::vector<Piece>& pieces, Aggregation aggregation) {
  std::vector<Labelled> words;
  for (std::size_t begin = 0; begin < pieces.size();) {
    std::size_t end = begin + 1;
    while (end < pieces.size() && pieces[end].is_subword) ++end;
    words.push_back(label_word(std::span(pieces).subspan(begin, end - begin), aggregation));
    begin = end;
  }
  return words;
}

/// "B-PER" → true, "PER"; anything without B- or I- goes on with its like.
std::pair<bool, std::string_view> tag_of(std::string_view label) {
  if (label.starts_with("B-")) return {true, label.substr(2)};
  if (label.starts_with("I-")) return {false, label.substr(2)};
  return {false, label};
}

std::string type_of(const std::string& label) {
  const auto dash = label.find('-');
  return dash == std::string::npos ? label : label.substr(dash + 1);
}

std::vector<TaggedSpan> group(const std::vector<Labelled>& parts, const BertConfig& config) {
  std::vector<TaggedSpan> spans;
  for (std::size_t begin = 0; begin < parts.size();) {
    const auto first = label_of(config, parts[begin].label);
    const auto type = tag_of(first).second;
    std::vector<std::string> words{parts[begin].word};
    double sum = parts[begin].score;
    std::size_t end = begin + 1;
    for (; end < parts.size(); ++end) {
      const auto label = label_of(config, parts[end].label);
      const auto [begins, tag] = tag_of(label);
      if (begins || tag != type) break;
      words.push_back(parts[end].word);
      sum += parts[end].score;
    }
    spans.push_back({.label = type_of(first),
                     .score = sum / static_cast<double>(end - begin),
                     .word = join(words),
                     .offsets = {parts[begin].offsets.begin, parts[end - 1].offsets.end}});
    begin = end;
  }
  return spans;
}

/// Of spans that overlap, from windows that share text, the longer stays, then the surer.
std::vector<TaggedSpan> without_overlaps(std::vector<TaggedSpan> spans) {
  if (spans.empty()) return spans;
  std::stable_sort(spans.begin(), spans.end(), [](const TaggedSpan& a, const TaggedSpan& b) {
    return a.offsets.begin < b.offsets.begin;
  });
  std::vector<TaggedSpan> kept;
  auto last = spans.front();
  for (const auto& span : spans) {
    if (last.offsets.begin <= span.offsets.begin && span.offsets.begin < last.offsets.end) {
      const auto length = span.offsets.end - span.offsets.begin;
      const auto before = last.offsets.end - last.offsets.begin;
      if (length > before || (length == before && span.score > last.score)) last = span;
    } else {
      kept.push_back(std::exchange(last, span));
    }
  }
  kept.push_back(last);
  return kept;
}

std::vector<TaggedSpan> spans_of(const std::vector<Piece>& pieces, const BertConfig& config,
                                 const TaggerOptions& options) {
  std::vector<Labelled> parts;
  if (options.aggregation == Aggregation::none || options.aggregation == Aggregation::simple) {
    for (const auto& piece : pieces) {
      const auto label = best_of(piece.scores);
      parts.push_back({.label = label,
                       .score = piece.scores[label],
                       .word = piece.word,
                       .offsets = piece.offsets,
                       .index = piece.index});
    }
  } else {
    parts = label_words(pieces, options.aggregation);
  }
  std::vector<TaggedSpan> spans;
  if (options.aggregation == Aggregation::none) {
    for (auto& part : parts) {
      spans.push_back({.label = label_of(config, part.label),
                       .score = part.score,
                       .word = std::move(part.word),
                       .offsets = part.offsets,
                       .index = part.index});
    }
  } else {
    spans = group(parts, config);
  }
  std::erase_if(spans, [&](const TaggedSpan& span) {
    const auto& ignored = options.ignore_labels;
    return std::find(ignored.begin(), ignored.end(), span.label) != ignored.end();
  });
  return spans;
}

}  // namespace

Aggregation aggregation_from(std::string_view name) {
  if (name == "none") return Aggregation::none;
  if (name == "simple") return Aggregation::simple;
  if (name == "first") return Aggregation::first;
  if (name == "max") return Aggregation::max;
  if (name == "average") return Aggregation::average;
  throw ArgumentError(fmt::format(
      "there is no aggregation {}: there are none, simple, first, max and average", name));
}

std::vector<std::vector<TaggedSpan>> tag_texts(const TaskPredictor& predictor,
                                               const Tokenizer& tokenizer,
                                               std::span<const std::string_view> texts,
                                               const TaggerOptions& options) {
  EncodeOptions encode;
  encode.truncation = Truncation::longest_first;
  encode.max_length = static_cast<std::int32_t>(options.max_length);
  encode.stride = static_cast<std::int32_t>(
      std::min(options.stride, std::max<std::int64_t>(0, (options.max_length - 2) / 2)));
  const auto encodings = tokenizer.encode_batch(texts, encode);
  std::vector<TokenizedText> windows;
  std::vector<std::size_t> first_window;  // of each text
  for (const auto& encoding : encodings) {
    first_window.push_back(windows.size());
    windows.push_back({encoding.ids, encoding.type_ids});
    for (const auto& more : encoding.overflowing) windows.push_back({more.ids, more.type_ids});
  }
  const auto logits = predictor.predict(windows);
  const auto& config = predictor.config();
  const auto labels = static_cast<std::size_t>(config.num_labels());
  std::vector<std::vector<TaggedSpan>> result(texts.size());
  constexpr std::int64_t texts_at_once = 16;
  parallel_for(static_cast<std::int64_t>(texts.size()), texts_at_once, [&](std::int64_t index) {
    const auto i = static_cast<std::size_t>(index);
    const auto bounds = code_point_bounds(texts[i]);
    const auto add = [&](const Encoding& encoding, std::size_t number) {
      const auto pieces = pieces_of(encoding, logits[first_window[i] + number].values<float>(),
                                    labels, texts[i], bounds, tokenizer);
      for (auto& span : spans_of(pieces, config, options)) {
        span.window = static_cast<std::int32_t>(number);
        result[i].push_back(std::move(span));
      }
    };
    add(encodings[i], 0);
    std::size_t number = 0;
    for (const auto& more : encodings[i].overflowing) add(more, ++number);
    if (number > 0) result[i] = without_overlaps(std::move(result[i]));
  });
  return result;
}

std::vector<std::vector<WordLabel>> tag_words(
    const TaskPredictor& predictor, const Tokenizer& tokenizer,
    std::span<const std::vector<std::string_view>> sentences, const WordTaggerOptions& options) {
  TokenWindows windows(tokenizer, {.max_length = options.max_length,
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
  const auto logits = predictor.predict(texts);
  const auto& config = predictor.config();
  const auto labels = static_cast<std::size_t>(config.num_labels());
  std::vector<WordLabel> words(static_cast<std::size_t>(windows.words()), {"O", 1.0});
  for (std::size_t w = 0; w < windows.size(); ++w) {
    const auto values = logits[w].values<float>();
    const auto counted = windows.counted_words(w);
    for (std::size_t t = 0; t < counted.size(); ++t) {
      if (counted[t] < 0) continue;
      const auto scores = label_scores(values.subspan(t * labels, labels), ScoreKind::softmax);
      const auto best = best_of(scores);
      words[static_cast<std::size_t>(counted[t])] = {label_of(config, best), scores[best]};
    }
  }
  std::vector<std::vector<WordLabel>> result;
  std::size_t at = 0;
  for (const auto& sentence : sentences) {
    result.emplace_back(words.begin() + static_cast<std::ptrdiff_t>(at),
                        words.begin() + static_cast<std::ptrdiff_t>(at + sentence.size()));
    at += sentence.size();
  }
  return result;
}

}  // namespace cloze
