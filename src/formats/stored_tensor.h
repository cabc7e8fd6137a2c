/// \file
/// Where a tensor lies in a checkpoint's files, and how it becomes a Tensor: the one form that all
/// formats are brought to.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cloze/checkpoint.h"
#include "cloze/tensor.h"
#include "core/io/mapped_file.h"

namespace cloze {

/// What a format states about some bytes, to tell whether they are still those that were written.
struct Checksum {
  enum class Kind : std::uint8_t {
    crc32,          ///< of zip archives
    masked_crc32c,  ///< of TensorFlow's bundles
  };
  Kind kind = Kind::crc32;
  std::uint32_t value = 0;

  [[nodiscard]] bool holds(std::span<const std::byte> bytes) const;
};

/// Bytes of a mapped file that one or several tensors look into. A checksum is verified when the
/// bytes are first read, not before: a checkpoint whose names alone are wanted opens at once.
/// Safe to share by threads, and by a process that forks: it has no lock.
class Storage {
 public:
  /// `bytes` lie in `file`; `origin` ("FILE: data/3") begins the message about a wrong checksum.
  Storage(std::shared_ptr<const MappedFile> file, std::span<const std::byte> bytes,
          std::optional<Checksum> checksum, std::string origin);

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  /// Throws FormatError where the checksum does not hold.
  [[nodiscard]] std::span<const std::byte> bytes() const;
  [[nodiscard]] const std::shared_ptr<const MappedFile>& file() const { return file_; }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::span<const std::byte> bytes_;
  std::string origin_;
  std::optional<Checksum> checksum_;
  mutable std::atomic<bool> verified_;  ///< two threads that read first may both verify
};

struct StoredTensor {
  TensorInfo info;
  std::shared_ptr<const Storage> storage;
  std::size_t offset = 0;  ///< bytes from the storage's begin to the first element
  /// Elements from one index to the next in each dimension; empty: row-major, without holes.
  std::vector<std::int64_t> strides{};

  [[nodiscard]] bool row_major() const { return strides.empty(); }
};

/// Elements of `shape`, or nothing where no memory could hold them or a size is negative.
[[nodiscard]] std::optional<std::int64_t> count_elements(const Shape& shape);

/// Whether every element of the tensor lies inside its storage.
[[nodiscard]] bool lies_inside(const StoredTensor& tensor);

/// The tensor as a view of the mapped file where it is row-major there, else a copy that is.
/// Throws as Storage::bytes.
[[nodiscard]] Tensor read(const StoredTensor& tensor);

/// Drops the pages that only this tensor needs from resident memory.
void release(const StoredTensor& tensor);

}  // namespace cloze
