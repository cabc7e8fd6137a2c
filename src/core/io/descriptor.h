/// \file
/// A file descriptor that is closed with its owner, and reading and writing that are not
/// interrupted.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <unistd.h>

namespace cloze {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      value_ = std::exchange(other.value_, -1);
    }
    return *this;
  }
  ~Descriptor() { reset(); }

  [[nodiscard]] int get() const { return value_; }
  [[nodiscard]] explicit operator bool() const { return value_ >= 0; }
  /// The number, which the caller closes.
  [[nodiscard]] int release() { return std::exchange(value_, -1); }
  void reset() {
    if (value_ >= 0) ::close(std::exchange(value_, -1));
  }

 private:
  int value_ = -1;
};

/// Writes all of `bytes` by calls of `write(rest)`, which has the result of ::write. Returns 0, or
/// the error number. A call that writes nothing, which a device may answer when it has no room,
/// counts as ENOSPC: repeating it would not end.
template <class Write>
[[nodiscard]] int write_fully(std::span<const std::byte> bytes, const Write& write) {
  while (!bytes.empty()) {
    const std::int64_t written = write(bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

/// Writes all of `bytes` to a descriptor. Returns 0, or the error number.
[[nodiscard]] inline int write_fully(int descriptor, std::span<const std::byte> bytes) {
  return write_fully(bytes, [descriptor](std::span<const std::byte> rest) -> std::int64_t {
    return ::write(descriptor, rest.data(), rest.size());
  });
}

/// ::read, again after a signal.
[[nodiscard]] inline std::int64_t read_some(int descriptor, std::span<std::byte> bytes) {
  for (;;) {
    const auto got = ::read(descriptor, bytes.data(), bytes.size());
    if (got >= 0 || errno != EINTR) return got;
  }
}

}  // namespace cloze
