#include "tasks/text_units.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "datasets/batching.h"

namespace cloze {
namespace {

constexpr std::size_t rows_at_once = 4096;

std::int64_t whole_length(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.count_tokens(text);
}
std::int64_t whole_length(const Tokenizer& tokenizer, const TextPair& pair) {
  return tokenizer.count_tokens(pair.first, pair.second);
}

/// Tokenizes texts, or pairs, on all threads, and appends their sequences.
template <class Item>
void append(TextUnits& units, const Tokenizer& tokenizer, const std::vector<Item>& items) {
  EncodeOptions options;
  options.truncation = Truncation::longest_first;
  options.max_length = static_cast<std::int32_t>(units.max_length);
  auto batch = tokenizer.pack(std::span<const Item>(items), options);
  batch.token_type_ids = types_for_model(tokenizer, std::move(batch.token_type_ids));
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (batch.length(static_cast<std::int64_t>(i)) < units.max_length) continue;
    if (whole_length(tokenizer, items[i]) > units.max_length) ++units.cut;
  }
  units.sequences.append(batch);
}

void append_rows(TextUnits& units, const Tokenizer& tokenizer, std::span<const LabelledText> rows,
                 PairForm form) {
  if (rows.empty()) return;
  if (form == PairForm::together && rows.front().pair) {
    std::vector<TextPair> pairs;
    for (const auto& row : rows) pairs.push_back({row.text, *row.pair});
    append(units, tokenizer, pairs);
    return;
  }
  std::vector<std::string_view> texts;
  for (const auto& row : rows) {
    texts.push_back(row.text);
    if (form == PairForm::separate) texts.push_back(row.pair.value());
  }
  append(units, tokenizer, texts);
}

}  // namespace

void SequenceStore::append(const Batch& sequences) {
  const auto base = static_cast<std::int64_t>(ids_.size());
  ids_.insert(ids_.end(), sequences.input_ids.begin(), sequences.input_ids.end());
  for (const auto type : sequences.token_type_ids) {
    type_ids_.push_back(static_cast<std::uint16_t>(type));
  }
  for (std::size_t i = 1; i < sequences.cu_seqlens.size(); ++i) {
    begins_.push_back(base + sequences.cu_seqlens[i]);
  }
}

void SequenceStore::append(std::span<const std::int32_t> ids,
                           std::span<const std::int32_t> type_ids) {
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  for (const auto type : type_ids) type_ids_.push_back(static_cast<std::uint16_t>(type));
  type_ids_.resize(ids_.size());
  begins_.push_back(static_cast<std::int64_t>(ids_.size()));
}

std::span<const std::int32_t> SequenceStore::ids(std::size_t sequence) const {
  return std::span(ids_).subspan(static_cast<std::size_t>(begins_[sequence]),
                                 static_cast<std::size_t>(length(sequence)));
}

void SequenceStore::append_to(Batch& batch, std::size_t sequence) const {
  const auto from = static_cast<std::size_t>(begins_[sequence]);
  const auto count = static_cast<std::size_t>(length(sequence));
  const std::vector<std::int32_t> types(
      type_ids_.begin() + static_cast<std::ptrdiff_t>(from),
      type_ids_.begin() + static_cast<std::ptrdiff_t>(from + count));
  batch.append(ids(sequence), types);
}

TextUnits read_text_units(LabelledTextReader& reader, const Tokenizer& tokenizer,
                          std::int64_t max_length, std::int64_t max_samples,
                          const std::function<void(const LabelledText&)>& take,
                          const UnitForm& form) {
  TextUnits units;
  units.max_length = max_length;
  std::vector<LabelledText> rows;
  const auto flush = [&] {
    append_rows(units, tokenizer, rows, form.pairs);
    rows.clear();
  };
  while (max_samples == 0 || static_cast<std::int64_t>(units.lines.size()) < max_samples) {
    auto row = reader.next();
    if (!row) break;
    take(*row);
    units.lines.push_back(row->line);
    if (form.pairs == PairForm::separate) {
      row->text.insert(0, form.prompt);
      if (row->pair) row->pair->insert(0, form.prompt);
    }
    rows.push_back(std::move(*row));
    if (rows.size() == rows_at_once) flush();
  }
  flush();
  return units;
}

}  // namespace cloze
