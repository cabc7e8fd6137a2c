#include "cloze/array_file.h"

#include <cstddef>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "formats/safetensors.h"

namespace cloze {
namespace {

// Room for the longest header; a multiple of 64, as NumPy wants its data aligned.
constexpr std::size_t header_size = 512;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

ArrayFile::ArrayFile(const std::filesystem::path& path, Options options)
    : options_(std::move(options)), output_(Output::file(path)) {
  // The header comes first in the file and is known last.
  if (!output_.seekable()) {
    throw IoError(fmt::format("cannot write {}: a pipe cannot be written out of order: name a file",
                              path.string()));
  }
  static_cast<void>(header());  // a name that it cannot hold is told now
  if (options_.sequences) cu_seqlens_.push_back(0);
  output_.write(std::string(header_size, ' '));
}

void ArrayFile::append(std::span<const float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  if (options_.columns <= 0 || count % options_.columns != 0) {
    throw ArgumentError(
        fmt::format("{} values are not rows of {} columns", count, options_.columns));
  }
  rows_ += count / options_.columns;
  output_.write(std::as_bytes(values));
}

void ArrayFile::end_sequence() {
  if (!options_.sequences) throw ArgumentError("this array has no sequences");
  cu_seqlens_.push_back(rows_);
}

std::string ArrayFile::header() const {
  std::string text;
  if (options_.format == ArrayFormat::npy) {
    // https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    constexpr std::size_t prefix = 10;  // magic, version, length of the rest
    constexpr std::size_t rest = header_size - prefix;
    text = std::string("\x93NUMPY\x01\x00", 8);
    text += static_cast<char>(rest & 0xFF);
    text += static_cast<char>(rest >> 8);
    text += fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows_,
                        options_.columns);
    text.resize(header_size - 1, ' ');
    text += '\n';
    return text;
  }
  const auto data = static_cast<std::uint64_t>(rows_ * options_.columns) * sizeof(float);
  SafetensorsHeader entries{
      .tensors = {{options_.name, DType::f32, {rows_, options_.columns}, 0, data}},
      .metadata = {{"format", "pt"}}};
  if (!cu_seqlens_.empty()) {
    const auto count = static_cast<std::int64_t>(cu_seqlens_.size());
    entries.tensors.push_back({"cu_seqlens",
                               DType::i64,
                               {count},
                               data,
                               data + cu_seqlens_.size() * sizeof(std::int64_t)});
  }
  return safetensors_header(entries, header_size);
}

void ArrayFile::finish() {
  if (options_.format == ArrayFormat::safetensors)
    output_.write(std::as_bytes(std::span(cu_seqlens_)));
  output_.write_at(0, bytes_of(header()));
  output_.finish();
}

}  // namespace cloze
