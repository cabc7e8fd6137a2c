#include "cloze/array_file.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"

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
  // https://github.com/huggingface/safetensors#format
  const auto data = rows_ * options_.columns * static_cast<std::int64_t>(sizeof(float));
  auto json =
      fmt::format(R"({{"__metadata__":{{"format":"pt"}},"{}":{{"dtype":"F32","shape":[{},{}],)"
                  R"("data_offsets":[0,{}]}})",
                  options_.name, rows_, options_.columns, data);
  if (!cu_seqlens_.empty()) {
    const auto end = data + static_cast<std::int64_t>(cu_seqlens_.size() * sizeof(std::int64_t));
    json += fmt::format(R"(,"cu_seqlens":{{"dtype":"I64","shape":[{}],"data_offsets":[{},{}]}})",
                        cu_seqlens_.size(), data, end);
  }
  json += '}';
  constexpr std::uint64_t length = header_size - sizeof(std::uint64_t);
  json.resize(length, ' ');
  for (unsigned shift = 0; shift < 64; shift += 8) {
    text += static_cast<char>((length >> shift) & 0xFF);
  }
  return text + json;
}

void ArrayFile::finish() {
  if (options_.format == ArrayFormat::safetensors)
    output_.write(std::as_bytes(std::span(cu_seqlens_)));
  output_.write_at(0, bytes_of(header()));
  output_.finish();
}

}  // namespace cloze
