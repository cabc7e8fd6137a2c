#include "tasks/token_windows.h"

#include <algorithm>

namespace cloze {

void TokenWindows::add_sentence(std::span<const std::string_view> words) {
  EncodeOptions options;
  options.add_special_tokens = false;
  const auto encoding = tokenizer_->encode_words(words, options);
  const auto begin = static_cast<std::int64_t>(ids_.size());
  ids_.insert(ids_.end(), encoding.ids.begin(), encoding.ids.end());
  std::int32_t before = -1;
  for (const auto word : encoding.word_ids) {
    first_of_.push_back(word == before ? -1 : words_ + word);
    before = word;
  }
  words_ += static_cast<std::int64_t>(words.size());
  sentences_.push_back({begin, static_cast<std::int64_t>(ids_.size())});
}

void TokenWindows::end_document() {
  if (sentences_.empty()) return;
  const auto begin = sentences_.front().begin, end = sentences_.back().end;
  for (const auto& sentence : sentences_) add_windows(sentence, begin, end);
  sentences_.clear();
}

void TokenWindows::add_windows(const Sentence& sentence, std::int64_t document_begin,
                               std::int64_t document_end) {
  const auto [begin, end] = sentence;
  if (begin == end) return;  // no word of it has a token
  const std::int64_t room = options_.max_length - 2;
  if (end - begin <= room) {
    Window window{begin, end, begin, end};
    if (options_.document_context) {
      const auto spare = room - (end - begin);
      const auto before = begin - document_begin, after = document_end - end;
      const auto right = std::min(after, std::max(spare - before, spare - spare / 2));
      const auto left = std::min(before, spare - right);
      window.begin -= left;
      window.end += right;
    }
    windows_.push_back(window);
    return;
  }
  // Each window but the outer ones counts its middle, half of the shared tokens away from its ends.
  ++split_;
  const auto shared = std::clamp<std::int64_t>(options_.stride, 0, room / 2);
  for (auto at = begin; at < end;) {
    Window window{at, std::min(end, at + room), 0, 0};
    window.count_begin = at == begin ? begin : at + shared / 2;
    if (window.end == end) {
      window.count_end = end;
      // What is left of the last word may be its end alone, which counts nowhere.
      const auto* first = first_of_.data();
      if (std::any_of(first + window.count_begin, first + end,
                      [](auto word) { return word >= 0; })) {
        windows_.push_back(window);
      }
      return;
    }
    at += room - shared;
    window.count_end = at + shared / 2;
    windows_.push_back(window);
  }
}

void TokenWindows::append_to(Batch& batch, std::size_t window) const {
  const auto& [begin, end, count_begin, count_end] = windows_[window];
  std::vector<std::int32_t> ids;
  ids.reserve(static_cast<std::size_t>(end - begin + 2));
  ids.push_back(tokenizer_->cls_token_id());
  ids.insert(ids.end(), ids_.begin() + begin, ids_.begin() + end);
  ids.push_back(tokenizer_->sep_token_id());
  batch.append(ids);
}

std::vector<std::int64_t> TokenWindows::counted_words(std::size_t window) const {
  const auto& [begin, end, count_begin, count_end] = windows_[window];
  std::vector<std::int64_t> words(static_cast<std::size_t>(end - begin + 2), -1);
  for (auto at = count_begin; at < count_end; ++at) {
    words[static_cast<std::size_t>(at - begin + 1)] = first_of_[static_cast<std::size_t>(at)];
  }
  return words;
}

}  // namespace cloze
