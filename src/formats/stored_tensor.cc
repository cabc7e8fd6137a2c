#include "formats/stored_tensor.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <zlib.h>

#include "cloze/error.h"
#include "core/io/crc32c.h"

namespace cloze {
namespace {

std::uint32_t crc32_of(std::span<const std::byte> bytes) {
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  return static_cast<std::uint32_t>(::crc32_z(0, data, bytes.size()));
}

/// y[c][r] = x[r][c], in squares that both caches' lines fill. x [rows, cols] of T.
template <class T>
void transpose(const std::byte* x, std::int64_t rows, std::int64_t cols, std::byte* y) {
  constexpr std::int64_t kSquare = 32;
  const auto at = [](std::int64_t index) { return static_cast<std::size_t>(index) * sizeof(T); };
  for (std::int64_t r0 = 0; r0 < rows; r0 += kSquare) {
    const std::int64_t r1 = std::min(rows, r0 + kSquare);
    for (std::int64_t c0 = 0; c0 < cols; c0 += kSquare) {
      const std::int64_t c1 = std::min(cols, c0 + kSquare);
      for (std::int64_t c = c0; c < c1; ++c) {
        for (std::int64_t r = r0; r < r1; ++r) {
          std::memcpy(y + at(c * rows + r), x + at(r * cols + c), sizeof(T));
        }
      }
    }
  }
}

/// Elements of T at every index of `shape`, in row-major order, to `y`.
template <class T>
void gather(const std::byte* x, const Shape& shape, std::span<const std::int64_t> strides,
            std::byte* y) {
  const bool column_major = shape.size() == 2 && strides[0] == 1 && strides[1] == shape[0];
  if (column_major) return transpose<T>(x, shape[1], shape[0], y);
  if (shape.empty()) {
    std::memcpy(y, x, sizeof(T));
    return;
  }
  const auto last = shape.size() - 1;
  Shape index(shape.size(), 0);
  while (true) {
    std::int64_t row = 0;
    for (std::size_t d = 0; d < last; ++d) row += index[d] * strides[d];
    for (std::int64_t i = 0; i < shape[last]; ++i, y += sizeof(T)) {
      const auto at = static_cast<std::size_t>(row + i * strides[last]) * sizeof(T);
      std::memcpy(y, x + at, sizeof(T));
    }
    std::size_t d = last;
    while (d > 0 && ++index[d - 1] == shape[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

Tensor gathered(const StoredTensor& tensor, std::span<const std::byte> from) {
  auto copy = Tensor::zeros(tensor.info.dtype, tensor.info.shape);
  if (copy.numel() == 0) return copy;
  auto* to = copy.mutable_bytes().data();
  switch (size_of(tensor.info.dtype)) {
    case 1:
      gather<std::uint8_t>(from.data(), tensor.info.shape, tensor.strides, to);
      break;
    case 2:
      gather<std::uint16_t>(from.data(), tensor.info.shape, tensor.strides, to);
      break;
    case 4:
      gather<std::uint32_t>(from.data(), tensor.info.shape, tensor.strides, to);
      break;
    default:
      gather<std::uint64_t>(from.data(), tensor.info.shape, tensor.strides, to);
      break;
  }
  return copy;
}

/// Elements that the tensor's memory spans, from its first to its last; nothing beyond 63 bits.
std::optional<std::int64_t> span_of(const StoredTensor& tensor) {
  const auto count = count_elements(tensor.info.shape);
  if (!count) return std::nullopt;
  if (*count == 0 || tensor.row_major()) return count;
  if (tensor.strides.size() != tensor.info.shape.size()) return std::nullopt;
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max() / 16;
  std::int64_t span = 1;
  for (std::size_t d = 0; d < tensor.strides.size(); ++d) {
    const auto steps = tensor.info.shape[d] - 1, stride = tensor.strides[d];
    if (stride < 0 || (steps > 0 && stride > (kMost - span) / steps)) return std::nullopt;
    span += steps * stride;
  }
  return span;
}

}  // namespace

bool Checksum::holds(std::span<const std::byte> bytes) const {
  return value == (kind == Kind::crc32 ? crc32_of(bytes) : masked_crc(crc32c(bytes)));
}

Storage::Storage(std::shared_ptr<const MappedFile> file, std::span<const std::byte> bytes,
                 std::optional<Checksum> checksum, std::string origin)
    : file_(std::move(file)),
      bytes_(bytes),
      origin_(std::move(origin)),
      checksum_(checksum),
      verified_(!checksum) {}

std::span<const std::byte> Storage::bytes() const {
  if (!verified_.load(std::memory_order_relaxed)) {
    if (!checksum_->holds(bytes_)) {
      throw FormatError(
          fmt::format("{}: the checksum of its {} bytes does not hold: the file is damaged; "
                      "download or copy it again",
                      origin_, bytes_.size()));
    }
    verified_.store(true, std::memory_order_relaxed);
  }
  return bytes_;
}

std::optional<std::int64_t> count_elements(const Shape& shape) {
  // The bound that Tensor sets on a shape, so that a view of it can always be made.
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 16;
  std::int64_t count = 1;
  for (const auto size : shape) {
    if (size < 0 || (size > 0 && count > kMost / size)) return std::nullopt;
    count *= size;
  }
  return count;
}

bool lies_inside(const StoredTensor& tensor) {
  const auto span = span_of(tensor);
  if (!span || tensor.offset > tensor.storage->size()) return false;
  return static_cast<std::uint64_t>(*span) * size_of(tensor.info.dtype) <=
         tensor.storage->size() - tensor.offset;
}

Tensor read(const StoredTensor& tensor) {
  const auto from = tensor.storage->bytes().subspan(tensor.offset);
  if (!tensor.row_major()) return gathered(tensor, from);
  const auto count = static_cast<std::size_t>(count_elements(tensor.info.shape).value_or(0));
  return Tensor::view(tensor.info.dtype, tensor.info.shape,
                      from.first(count * size_of(tensor.info.dtype)), tensor.storage->file());
}

void release(const StoredTensor& tensor) {
  const auto span = static_cast<std::size_t>(span_of(tensor).value_or(0));
  const auto bytes = tensor.storage->bytes().subspan(tensor.offset);
  tensor.storage->file()->release(bytes.first(span * size_of(tensor.info.dtype)));
}

}  // namespace cloze
