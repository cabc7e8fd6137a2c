#include "formats/tensorflow/table_layout.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {
namespace {

constexpr std::uint64_t kTableMagic = 0xDB4775248B80FB57;
constexpr std::size_t kFooterSize = 48;
constexpr std::size_t kTrailerSize = 5;  // of a block: its compression and its checksum

/// Takes varints off the front of some bytes.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    return std::nullopt;
  }

  std::optional<std::string_view> take(std::uint64_t size) {
    if (size > bytes_.size()) return std::nullopt;
    const auto taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  [[nodiscard]] bool empty() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

}  // namespace

void check_table_layout(std::span<const std::byte> file, const std::string& origin) {
  const auto fail = [&origin](std::string_view what) {
    throw FormatError(fmt::format("{} {}", origin, what));
  };
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (file.size() < kFooterSize) fail("is too short for a TensorFlow checkpoint's index");
  std::uint64_t magic = 0;
  std::memcpy(&magic, file.data() + file.size() - sizeof magic, sizeof magic);
  if (magic != kTableMagic) {
    fail(
        "is not a TensorFlow checkpoint's index (its last bytes are another file's), or truncated");
  }

  /// The block that `cursor` names next, without its trailer.
  const auto block = [&](Cursor& cursor) {
    const auto offset = cursor.varint();
    const auto size = cursor.varint();
    const auto most = file.size() - kFooterSize;
    const bool inside = offset && size && *size <= most && *offset <= most - *size &&
                        *offset + *size + kTrailerSize <= most;
    if (!inside) fail("names a block outside of it: it is truncated or damaged");
    return text.substr(*offset, *size + 1);  // with the byte of its compression
  };
  Cursor footer(text.substr(file.size() - kFooterSize, kFooterSize - sizeof magic));
  static_cast<void>(block(footer));  // of metadata; not read
  auto places = block(footer);
  if (places.back() != 0) fail("has its block of places compressed, which TensorFlow never does");
  places.remove_suffix(1);

  // Entries: bytes shared with the key before, bytes of key and of value, both; then where entries
  // begin that share nothing, and how many those are.
  std::uint32_t restarts = 0;
  if (places.size() < sizeof restarts) fail("is damaged: its block of places is empty");
  std::memcpy(&restarts, places.data() + places.size() - sizeof restarts, sizeof restarts);
  if (restarts > places.size() / sizeof restarts - 1)
    fail("is damaged: its block of places is short");
  places.remove_suffix((std::size_t{restarts} + 1) * sizeof restarts);
  for (Cursor entries(places); !entries.empty();) {
    const auto shared = entries.varint();
    const auto key = entries.varint();
    const auto size = entries.varint();
    if (!shared || !key || !size || !entries.take(*key))
      fail("is damaged: a block's entry is short");
    const auto value = entries.take(*size);
    if (!value) fail("is damaged: a block's entry is short");
    Cursor handle(*value);
    static_cast<void>(block(handle));
  }
}

}  // namespace cloze
