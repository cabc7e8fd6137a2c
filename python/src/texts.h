/// \file
/// Strings of Python as the library's: views without a copy, and errors that name the element.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/pipeline.h"
#include "cloze/tokenizer.h"
#include "python/src/bind.h"

namespace cloze::python {

/// The bytes of a str, or of bytes that are UTF-8: what holds them is appended to `keep`. Throws
/// TypeError for another type and ValueError for a lone surrogate or bytes that are not UTF-8;
/// `name` says what of.
std::string_view text_of(nb::handle object, const std::string& name, nb::list& keep);

/// Strings of a list or tuple, which another thread may change meanwhile: they are held on to.
class TextList {
 public:
  TextList() = default;
  /// Throws TypeError for anything but a list or tuple of strings: "texts[17] is float, not str".
  TextList(nb::handle texts, std::string_view name);

  [[nodiscard]] std::size_t size() const { return views_.size(); }
  [[nodiscard]] const std::vector<std::string_view>& views() const { return views_; }

 private:
  nb::list keep_;
  std::vector<std::string_view> views_;
};

/// Texts, or pairs of them where `pairs` is not None.
class TextsOrPairs {
 public:
  /// Throws as TextList, and ValueError where there are not as many pairs as texts.
  TextsOrPairs(nb::handle texts, nb::handle pairs);

  [[nodiscard]] bool paired() const { return paired_; }
  [[nodiscard]] std::size_t size() const { return texts_.size(); }
  [[nodiscard]] std::span<const std::string_view> texts() const { return texts_.views(); }
  [[nodiscard]] std::span<const TextPair> pairs() const { return pairs_; }
  /// For pipelines.
  [[nodiscard]] Texts view() const;

 private:
  TextList texts_, seconds_;
  bool paired_ = false;
  std::vector<TextPair> pairs_;
};

/// What messages call text `index`: "texts[17]", as Python writes it.
[[nodiscard]] TextName python_name();

/// "list", "float (nan)", ...: what an object is, for messages.
[[nodiscard]] std::string kind_of(nb::handle object);

}  // namespace cloze::python
