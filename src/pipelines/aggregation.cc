#include "pipelines/aggregation.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/utf8.h"
#include "datasets/labels.h"
#include "pipelines/batches.h"
#include "tasks/text_classification.h"

namespace cloze::internal {
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

/// Tokens or words as a text, as the decoder of the tokenizer joins them.
std::string join(const std::vector<std::string>& words, const Tokenizer& tokenizer) {
  const std::vector<std::string_view> views(words.begin(), words.end());
  return tokenizer.tokens_to_text(views);
}

/// Whether a piece of a Unigram model goes on with a word: there is no space before or at its begin.
bool touches_word(const TaggedText& text, Span offsets) {
  if (offsets.begin == 0) return false;
  const auto last = static_cast<std::int32_t>(text.bounds.size()) - 1;
  const Span around{offsets.begin - 1, std::min(offsets.begin + 1, last)};
  return part_of(text.text, bytes_of(around, text.bounds)).find(' ') == std::string_view::npos;
}

/// Whether token `t` goes on with the word of the one before.
bool goes_on(const TaggedText& text, const Encoding& window, std::size_t t,
             const Tokenizer& tokenizer) {
  const auto offsets = window.offsets[t];
  if (tokenizer.model() == TokenizerModel::unigram) return touches_word(text, offsets);
  if (tokenizer.japanese()) return t > 0 && window.word_ids[t] == window.word_ids[t - 1];
  // A token that is longer than its text has a "##".
  return utf8::count_code_points(window.tokens[t]) != offsets.end - offsets.begin;
}

std::vector<Piece> pieces_of(const TaggedText& text, const Encoding& window,
                             std::span<const float> logits, std::size_t labels,
                             const Tokenizer& tokenizer) {
  std::vector<Piece> pieces;
  for (std::size_t t = 0; t < window.ids.size(); ++t) {
    if (window.special_tokens_mask[t] != 0) continue;
    Piece piece{.word = window.tokens[t],
                .scores = label_scores(logits.subspan(t * labels, labels), ScoreKind::softmax),
                .offsets = window.offsets[t],
                .index = static_cast<std::int32_t>(t)};
    piece.is_subword = goes_on(text, window, t, tokenizer);
    if (window.ids[t] == tokenizer.unk_token_id()) {
      piece.word = std::string(part_of(text.text, bytes_of(piece.offsets, text.bounds)));
      piece.is_subword = false;
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

Labelled label_word(std::span<const Piece> pieces, Aggregation aggregation,
                    const Tokenizer& tokenizer) {
  std::vector<std::string> words;
  for (const auto& piece : pieces) words.push_back(piece.word);
  Labelled word{.word = join(words, tokenizer),
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

std::vector<Labelled> label_words(const std::vector<Piece>& pieces, Aggregation aggregation,
                                  const Tokenizer& tokenizer) {
  std::vector<Labelled> words;
  for (std::size_t begin = 0; begin < pieces.size();) {
    std::size_t end = begin + 1;
    while (end < pieces.size() && pieces[end].is_subword) ++end;
    words.push_back(
        label_word(std::span(pieces).subspan(begin, end - begin), aggregation, tokenizer));
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

std::vector<TaggedEntity> group(const std::vector<Labelled>& parts, const BertConfig& config,
                                const Tokenizer& tokenizer) {
  std::vector<TaggedEntity> entities;
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
    entities.push_back({.label = type_of(first),
                        .score = sum / static_cast<double>(end - begin),
                        .word = join(words, tokenizer),
                        .offsets = {parts[begin].offsets.begin, parts[end - 1].offsets.end}});
    begin = end;
  }
  return entities;
}

}  // namespace

std::vector<TaggedEntity> entities_of(const TaggedText& text, const Encoding& window,
                                      std::span<const float> logits, const Tokenizer& tokenizer,
                                      const BertConfig& config,
                                      const TokenClassificationOptions& options) {
  const auto pieces =
      pieces_of(text, window, logits, static_cast<std::size_t>(config.num_labels()), tokenizer);
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
    parts = label_words(pieces, options.aggregation, tokenizer);
  }
  std::vector<TaggedEntity> entities;
  if (options.aggregation == Aggregation::none) {
    for (auto& part : parts) {
      entities.push_back({.label = label_of(config, part.label),
                          .score = part.score,
                          .word = std::move(part.word),
                          .offsets = part.offsets,
                          .index = part.index});
    }
  } else {
    entities = group(parts, config, tokenizer);
  }
  std::erase_if(entities, [&](const TaggedEntity& entity) {
    const auto& ignored = options.ignore_labels;
    return std::find(ignored.begin(), ignored.end(), entity.label) != ignored.end();
  });
  for (auto& entity : entities) entity.byte_offsets = bytes_of(entity.offsets, text.bounds);
  return entities;
}

std::vector<TaggedEntity> without_overlaps(std::vector<TaggedEntity> entities) {
  if (entities.empty()) return entities;
  std::stable_sort(entities.begin(), entities.end(),
                   [](const TaggedEntity& a, const TaggedEntity& b) {
                     return a.offsets.begin < b.offsets.begin;
                   });
  std::vector<TaggedEntity> kept;
  auto last = entities.front();
  for (const auto& entity : entities) {
    if (last.offsets.begin <= entity.offsets.begin && entity.offsets.begin < last.offsets.end) {
      const auto length = entity.offsets.end - entity.offsets.begin;
      const auto before = last.offsets.end - last.offsets.begin;
      if (length > before || (length == before && entity.score > last.score)) last = entity;
    } else {
      kept.push_back(std::exchange(last, entity));
    }
  }
  kept.push_back(last);
  return kept;
}

}  // namespace cloze::internal
