/// \file
/// Labelled texts in memory: what a table of examples holds, without a file.
#pragma once

#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace cloze {

/// A text, or a pair of texts, with what a model should say of it.
struct TextExample {
  std::string text;
  std::string pair{};  ///< the second text; empty for a single text
  /// One label; for regression and scored pairs one number; for ranking "0" or "1"; with
  /// `TaskOptions::multi_label` any number of labels; empty for pairs without scores.
  std::vector<std::string> labels{};
};

}  // namespace cloze

#pragma GCC visibility pop
