/// \file
/// The texts or pairs of a table, tokenized: the units of the tasks with one answer a text.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "cloze/batch.h"
#include "cloze/tokenizer.h"
#include "datasets/labelled_text.h"

namespace cloze {

/// Sequences that are kept one after another, and picked into batches.
class SequenceStore {
 public:
  void append(const Batch& sequences);
  void append(std::span<const std::int32_t> ids, std::span<const std::int32_t> type_ids);

  [[nodiscard]] std::size_t size() const { return begins_.size() - 1; }
  [[nodiscard]] std::int64_t length(std::size_t sequence) const {
    return begins_[sequence + 1] - begins_[sequence];
  }
  [[nodiscard]] std::span<const std::int32_t> ids(std::size_t sequence) const;
  void append_to(Batch& batch, std::size_t sequence) const;

 private:
  std::vector<std::int32_t> ids_;
  std::vector<std::uint16_t> type_ids_;
  std::vector<std::int64_t> begins_{0};
};

/// How the two texts of a pair are read: as one sequence, or as two.
enum class PairForm : std::uint8_t { together, separate };

/// How rows become sequences.
struct UnitForm {
  PairForm pairs = PairForm::together;
  std::string_view prompt{};  ///< goes before each text that is read separately
};

struct TextUnits {
  SequenceStore sequences;
  std::vector<std::int64_t> lines;  ///< of each in its file
  std::int64_t cut = 0;             ///< sequences that were longer than `max_length`
  std::int64_t max_length = 0;
};

/// Reads and tokenizes at most `max_samples` rows (0: all), the longer text of a pair that is read
/// together cut first; `take` gets each row in order. Read separately, row i has the sequences 2i and
/// 2i + 1, and every row must have its pair.
[[nodiscard]] TextUnits read_text_units(LabelledTextReader& reader, const Tokenizer& tokenizer,
                                        std::int64_t max_length, std::int64_t max_samples,
                                        const std::function<void(const LabelledText&)>& take,
                                        const UnitForm& form = {});

}  // namespace cloze
