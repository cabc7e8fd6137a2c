/// \file
/// A matrix of f32 written row by row to a NumPy or safetensors file, without knowing in advance
/// how many rows come: the header is filled in at the end, so memory stays bounded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/output.h"

#pragma GCC visibility push(default)
namespace cloze {

/// The formats of an array file.
enum class ArrayFormat : std::uint8_t {
  npy,          ///< one array [rows, columns], NumPy's format 1.0
  safetensors,  ///< the same as a named tensor; with sequences of rows also `cu_seqlens`
};

/// A file that is written row by row. It appears complete, with `finish`, or not at all.
class ArrayFile {
 public:
  /// What is written.
  struct Options {
    ArrayFormat format = ArrayFormat::npy;
    std::string name = "array";  ///< the tensor's; npy has none
    std::int64_t columns = 0;
    bool sequences = false;  ///< rows form sequences of uneven length
  };

  /// Throws IoError when `path` cannot be made.
  ArrayFile(const std::filesystem::path& path, Options options);

  /// Appends whole rows. Throws ArgumentError when `values` are not.
  void append(std::span<const float> values);

  /// Marks the rows since the last mark as one sequence: `cu_seqlens` [sequences + 1] (i64) tells
  /// where each begins. Costs 8 bytes of memory a sequence. Only with `Options::sequences`.
  void end_sequence();

  [[nodiscard]] std::int64_t rows() const { return rows_; }

  /// Writes the header and gives the file its name. Throws IoError.
  void finish();

 private:
  [[nodiscard]] std::string header() const;

  Options options_;
  std::int64_t rows_ = 0;
  std::vector<std::int64_t> cu_seqlens_;
  Output output_;
};

}  // namespace cloze

#pragma GCC visibility pop
