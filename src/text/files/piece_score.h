/// \file
/// Scores of pieces as JSON has them. The tokenizers library does not read decimals exactly: it
/// divides the digits by a power of ten, which is off by a last bit for one number in eight. What it
/// reads decides between paths that are as good as equal, so that it is read here the same way.
#pragma once

#include <string>
#include <string_view>

namespace cloze::text {

enum class Decimals {
  exact,       ///< as Python reads them, and hands them to tokenizers
  tokenizers,  ///< as tokenizers reads a file
};

/// The value of a JSON number. Not finite where it is out of range.
[[nodiscard]] double read_score(std::string_view number, Decimals decimals);

/// A finite value that `read_score` has read, as JSON in which it finds it again.
[[nodiscard]] std::string write_score(double score, Decimals decimals);

}  // namespace cloze::text
