#include "text/encode/packer.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "cloze/error.h"
#include "core/token_count.h"
#include "text/encode/needed_pieces.h"

namespace cloze::text {
namespace {

template <class T>
void append_range(std::vector<T>& to, const std::vector<T>& from, std::size_t count,
                  std::size_t begin = 0) {
  const auto first = from.begin() + static_cast<std::ptrdiff_t>(begin);
  to.insert(to.end(), first, first + static_cast<std::ptrdiff_t>(count));
}

template <class T>
void drop_range(std::vector<T>& from, std::size_t begin, std::size_t count) {
  const auto first = from.begin() + static_cast<std::ptrdiff_t>(begin);
  from.erase(first, first + static_cast<std::ptrdiff_t>(count));
}

class SequenceWriter {
 public:
  SequenceWriter(const Pipeline& pipeline, const EncodeOptions& options, Batch& batch,
                 Alignment* alignment)
      : pipeline_(pipeline),
        options_(options),
        batch_(batch),
        alignment_(alignment),
        begin_(batch.input_ids.size()) {}

  void single(const Templates& templates, std::string_view text) {
    const Template& pieces = templates.single;
    const bool trims = templates.trim_offsets && alignment_ != nullptr;
    const auto added = options_.add_special_tokens ? special_tokens(pieces) : 0;
    const auto limit = pieces_needed(options_, added);
    for (const auto& piece : pieces) {
      if (piece.sequence < 0) {
        special(piece);
        continue;
      }
      const auto at = batch_.input_ids.size();
      PieceTexts texts;
      pipeline_.ids(text, options_.offsets, limit, batch_.input_ids, offsets(), words(),
                    trims ? &texts : nullptr);
      const auto size = batch_.input_ids.size() - at;
      const auto kept = truncate(options_, size, 0, false, added).first;
      const auto from = at + skipped(size, kept);
      cut(from + kept);
      if (trims) {
        trim_offsets(pipeline_.model().vocabulary(), *templates.trim_offsets, options_.offsets,
                     std::span(batch_.input_ids).subspan(from), texts, from,
                     std::span(alignment_->offsets).subspan(from));
      }
      drop(at, from - at);
      batch_.token_type_ids.resize(batch_.input_ids.size(), piece.type_id);
    }
  }

  void pair(const Templates& templates, std::string_view first, std::string_view second) {
    const Template& pieces = templates.pair;
    const bool trims = templates.trim_offsets && alignment_ != nullptr;
    if (options_.truncation == Truncation::none && !trims) {
      for (const auto& piece : pieces) {
        if (piece.sequence < 0) {
          special(piece);
          continue;
        }
        pipeline_.ids(piece.sequence == 0 ? first : second, options_.offsets, kAllPieces,
                      batch_.input_ids, offsets(), words());
        batch_.token_type_ids.resize(batch_.input_ids.size(), piece.type_id);
      }
      return;
    }
    const auto added = options_.add_special_tokens ? special_tokens(pieces) : 0;
    const auto pieces_of = [this, trims](std::string_view text, std::size_t limit) {
      Pieces result;
      pipeline_.ids(text, options_.offsets, limit, result.ids,
                    alignment_ == nullptr ? nullptr : &result.offsets,
                    alignment_ == nullptr ? nullptr : &result.words,
                    trims ? &result.texts : nullptr);
      return result;
    };
    Pieces a, b;
    const auto made = make_needed_pieces(options_, added, [&](std::size_t limit) {
      a = pieces_of(first, limit);
      b = pieces_of(second, limit);
      return KeptLengths{a.ids.size(), b.ids.size()};
    });
    const auto kept =
        truncate(options_, made.first, made.second, true, added, templates.odd_to_first);
    for (const auto& piece : pieces) {
      if (piece.sequence < 0) {
        special(piece);
        continue;
      }
      Pieces& from = piece.sequence == 0 ? a : b;
      const auto count = piece.sequence == 0 ? kept.first : kept.second;
      const auto begin = skipped(from.ids.size(), count);
      if (trims) {
        trim_offsets(pipeline_.model().vocabulary(), *templates.trim_offsets, options_.offsets,
                     std::span(from.ids).subspan(begin, count), from.texts, begin,
                     std::span(from.offsets).subspan(begin));
      }
      append_range(batch_.input_ids, from.ids, count, begin);
      if (alignment_ != nullptr) {
        append_range(alignment_->offsets, from.offsets, count, begin);
        append_range(alignment_->word_ids, from.words, count, begin);
      }
      batch_.token_type_ids.resize(batch_.input_ids.size(), piece.type_id);
    }
  }

  std::int32_t finish() {
    const auto end = cu_seqlen(batch_.input_ids.size());
    batch_.position_ids.resize(batch_.input_ids.size());
    std::iota(batch_.position_ids.begin() + static_cast<std::ptrdiff_t>(begin_),
              batch_.position_ids.end(), 0);
    batch_.cu_seqlens.push_back(end);
    return end - static_cast<std::int32_t>(begin_);
  }

  void undo() {
    cut(begin_);
    batch_.token_type_ids.resize(begin_);
  }

 private:
  std::vector<Span>* offsets() { return alignment_ == nullptr ? nullptr : &alignment_->offsets; }
  std::vector<std::int32_t>* words() {
    return alignment_ == nullptr ? nullptr : &alignment_->word_ids;
  }

  // Pieces before those that stay, of `size` pieces of which `kept` stay.
  [[nodiscard]] std::size_t skipped(std::size_t size, std::size_t kept) const {
    return options_.truncation_side == Side::left ? size - kept : 0;
  }

  // Takes pieces out again.
  void drop(std::size_t begin, std::size_t count) {
    if (count == 0) return;
    drop_range(batch_.input_ids, begin, count);
    if (alignment_ == nullptr) return;
    drop_range(alignment_->offsets, begin, count);
    drop_range(alignment_->word_ids, begin, count);
  }

  void cut(std::size_t size) {
    batch_.input_ids.resize(size);
    if (alignment_ == nullptr) return;
    alignment_->offsets.resize(size);
    alignment_->word_ids.resize(size);
  }

  void special(const TemplatePiece& piece) {
    if (!options_.add_special_tokens) return;
    append_range(batch_.input_ids, piece.ids, piece.ids.size());
    batch_.token_type_ids.resize(batch_.input_ids.size(), piece.type_id);
    if (alignment_ == nullptr) return;
    alignment_->offsets.resize(batch_.input_ids.size(), {0, 0});
    alignment_->word_ids.resize(batch_.input_ids.size(), -1);
  }

  const Pipeline& pipeline_;
  const EncodeOptions& options_;
  Batch& batch_;
  Alignment* alignment_;
  std::size_t begin_;
};

}  // namespace

std::int32_t append(const Pipeline& pipeline, const Templates& templates,
                    const EncodeOptions& options, std::string_view first,
                    std::optional<std::string_view> second, Batch& batch, Alignment* alignment) {
  if (alignment != nullptr && (alignment->offsets.size() != batch.input_ids.size() ||
                               alignment->word_ids.size() != batch.input_ids.size())) {
    throw ArgumentError("the alignment is not as long as the batch; append to both from the start");
  }
  SequenceWriter writer(pipeline, options, batch, alignment);
  try {
    if (second) {
      writer.pair(templates, first, *second);
    } else {
      writer.single(templates, first);
    }
    return writer.finish();
  } catch (...) {
    writer.undo();
    throw;
  }
}

void append(const Batch& from, Batch& to) {
  static_cast<void>(cu_seqlen(to.input_ids.size() + from.input_ids.size()));
  const auto shift = static_cast<std::int32_t>(to.input_ids.size());
  append_range(to.input_ids, from.input_ids, from.input_ids.size());
  append_range(to.token_type_ids, from.token_type_ids, from.token_type_ids.size());
  append_range(to.position_ids, from.position_ids, from.position_ids.size());
  std::transform(from.cu_seqlens.begin() + 1, from.cu_seqlens.end(),
                 std::back_inserter(to.cu_seqlens),
                 [shift](std::int32_t at) { return at + shift; });
}

void append(const Alignment& from, Alignment& to) {
  append_range(to.offsets, from.offsets, from.offsets.size());
  append_range(to.word_ids, from.word_ids, from.word_ids.size());
}

}  // namespace cloze::text
