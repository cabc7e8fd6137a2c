#include "pipelines/batches.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include <fmt/format.h>

#include "core/parallel.h"
#include "core/progress_counter.h"
#include "core/utf8.h"

namespace cloze::internal {
namespace {

constexpr std::int64_t kTextsAtOnce = 64;

TokenizedText tokenize_one(const Tokenizer& tokenizer, const Texts::Text& text, std::int64_t limit,
                           const EncodeOptions* cut) {
  // Where nothing is to be cut, one token more tells that the text is too long.
  const EncodeOptions probe{.truncation = Truncation::longest_first,
                            .max_length = static_cast<std::int32_t>(limit + 1)};
  const auto& options = cut != nullptr ? *cut : probe;
  Batch batch;
  if (text.second) {
    tokenizer.append_to(batch, text.first, *text.second, options);
  } else {
    tokenizer.append_to(batch, text.first, options);
  }
  return {std::move(batch.input_ids), types_for_model(tokenizer, std::move(batch.token_type_ids))};
}

/// How many of the texts have more tokens than `limit`, to which the sequences are cut.
std::size_t count_cut(const Tokenizer& tokenizer, const Texts& texts,
                      std::span<const TokenizedText> sequences, std::int64_t limit) {
  std::vector<std::size_t> full;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (sequences[i].length() == limit) full.push_back(i);
  }
  std::atomic<std::size_t> cut = 0;
  parallel_for(static_cast<std::int64_t>(full.size()), kTextsAtOnce, [&](std::int64_t i) {
    const auto text = texts[full[static_cast<std::size_t>(i)]];
    if (tokenize_one(tokenizer, text, limit, nullptr).length() > limit) ++cut;
  });
  return cut;
}

std::int64_t whole_length(const Tokenizer& tokenizer, const Texts::Text& text) {
  return text.second ? tokenizer.count_tokens(text.first, *text.second)
                     : tokenizer.count_tokens(text.first);
}

}  // namespace

std::string name_of_text(const TextName& name, std::size_t index) {
  return name ? name(index) : fmt::format("text {}", index + 1);
}

std::int64_t length_limit(std::int64_t max_length, std::int64_t model_limit) {
  if (max_length < 0 || max_length > model_limit) {
    throw ArgumentError(fmt::format("max_length is {}, and this model reads 1 to {} tokens",
                                    max_length, model_limit));
  }
  return max_length > 0 ? max_length : model_limit;
}

std::vector<TokenizedText> tokenize(const Tokenizer& tokenizer, const Texts& texts,
                                    const TextLimits& limits, std::int64_t model_limit,
                                    Truncation truncation) {
  const auto limit = length_limit(limits.max_length, model_limit);
  const EncodeOptions cut{.truncation = truncation, .max_length = static_cast<std::int32_t>(limit)};
  std::vector<TokenizedText> sequences(texts.size());
  parallel_for(static_cast<std::int64_t>(texts.size()), kTextsAtOnce, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    sequences[at] = tokenize_one(tokenizer, texts[at], limit, limits.truncate ? &cut : nullptr);
  });
  if (limits.truncate && limits.on_cut) {
    if (const auto count = count_cut(tokenizer, texts, sequences, limit); count > 0) {
      limits.on_cut(count);
    }
  }
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (sequences[i].length() <= limit) continue;
    throw TextTooLong(name_of_text(limits.name, i), whole_length(tokenizer, texts[i]), limit);
  }
  return sequences;
}

void require_pairs(const Texts& texts, bool pairs, const TextName& name) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].second.has_value() == pairs) continue;
    throw ArgumentError(fmt::format(
        "{} is {}", name_of_text(name, i),
        pairs ? "not a pair: two texts are needed" : "a pair: a single text is needed"));
  }
}

void for_each_batch(std::span<const TokenizedText> sequences, const Work& work,
                    const std::function<void(const Batch&, std::span<const std::size_t>)>& use) {
  std::vector<std::size_t> left;  // sequences of each unit that are not done yet
  for (const auto unit : work.unit_of) {
    if (unit >= left.size()) left.resize(unit + 1);
    ++left[unit];
  }
  const auto units = work.unit_of.empty() ? sequences.size() : left.size();
  ProgressCounter progress(work.progress, work.stage, static_cast<std::int64_t>(units), work.unit);
  for (const auto& indices : plan_batches(sequences, work.batch_tokens)) {
    use(pack(sequences, indices), indices);
    std::int64_t done = 0;
    for (const auto index : indices) {
      if (work.unit_of.empty() || --left[work.unit_of[index]] == 0) ++done;
    }
    progress.advance(done);
  }
}

std::vector<Tensor> sequence_rows(std::span<const TokenizedText> sequences, const Work& work,
                                  const Forward& forward) {
  std::vector<Tensor> rows(sequences.size());
  for_each_batch(sequences, work, [&](const Batch& batch, std::span<const std::size_t> indices) {
    const auto all = forward(batch);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      rows[indices[i]] = all.rows(at, at + 1);
    }
  });
  return rows;
}

std::vector<Tensor> token_rows(std::span<const TokenizedText> sequences, const Work& work,
                               const Forward& forward) {
  std::vector<Tensor> rows(sequences.size());
  for_each_batch(sequences, work, [&](const Batch& batch, std::span<const std::size_t> indices) {
    const auto all = forward(batch);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      rows[indices[i]] = all.rows(batch.cu_seqlens[i], batch.cu_seqlens[i + 1]);
    }
  });
  return rows;
}

std::vector<std::int32_t> code_point_bounds(std::string_view text, std::size_t most) {
  constexpr std::size_t kLongest = 4;  // bytes of a code point
  if (most < text.size() / kLongest) text = text.substr(0, (most + 1) * kLongest);
  const utf8::ValidText valid(text);
  const auto repaired = valid.repaired();
  std::vector<std::int32_t> bounds;
  bounds.reserve(text.size() + 1);
  for (std::size_t i = 0; i < valid.text().size(); ++i) {
    if (!utf8::begins_code_point(valid.text()[i])) continue;
    const auto byte = static_cast<std::int32_t>(i);
    bounds.push_back(repaired ? valid.original_byte(byte) : byte);
  }
  bounds.push_back(static_cast<std::int32_t>(text.size()));
  return bounds;
}

}  // namespace cloze::internal
