#include "formats/zip_directory.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/json.h"

namespace cloze {
namespace {

constexpr std::uint32_t kLocal = 0x04034B50, kCentral = 0x02014B50, kEnd = 0x06054B50;
constexpr std::uint32_t kEnd64 = 0x06064B50, kLocator64 = 0x07064B50;
constexpr std::size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56,
                      kLocatorSize = 20;
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;  // "the value is in the zip64 record"
constexpr std::uint16_t kIn64Short = 0xFFFF;

class Reader {
 public:
  Reader(std::span<const std::byte> file, const std::string& origin)
      : file_(file), origin_(&origin) {}

  /// A little-endian number; the caller has checked that it lies inside.
  template <class T>
  [[nodiscard]] T at(std::uint64_t position) const {
    T value;
    std::memcpy(&value, file_.data() + position, sizeof(T));
    return value;
  }

  [[nodiscard]] bool inside(std::uint64_t position, std::uint64_t size) const {
    return position <= file_.size() && size <= file_.size() - position;
  }

  [[nodiscard]] std::string_view text(std::uint64_t position, std::size_t size) const {
    return {reinterpret_cast<const char*>(file_.data() + position), size};
  }

  [[nodiscard]] std::uint64_t size() const { return file_.size(); }

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: {}", *origin_, what));
  }

 private:
  std::span<const std::byte> file_;
  const std::string* origin_;
};

struct Directory {
  std::uint64_t entries = 0, offset = 0, size = 0;
};

/// The end record lies at the end of the file, before a comment of at most 64 KiB.
Directory find_directory(const Reader& file) {
  const std::uint64_t farthest =
      file.size() - std::min<std::uint64_t>(file.size(), 0xFFFF + kEndSize);
  for (std::uint64_t end = file.size() - std::min<std::uint64_t>(file.size(), kEndSize);
       file.inside(end, kEndSize) && end >= farthest; --end) {
    const bool found = file.at<std::uint32_t>(end) == kEnd &&
                       end + kEndSize + file.at<std::uint16_t>(end + 20) == file.size();
    if (found) {
      Directory directory{.entries = file.at<std::uint16_t>(end + 10),
                          .offset = file.at<std::uint32_t>(end + 16),
                          .size = file.at<std::uint32_t>(end + 12)};
      const bool wide =
          directory.entries == kIn64Short || directory.offset == kIn64 || directory.size == kIn64;
      if (!wide) return directory;
      if (end < kLocatorSize || file.at<std::uint32_t>(end - kLocatorSize) != kLocator64) {
        file.fail("its zip64 record is missing: the file is damaged");
      }
      const auto record = file.at<std::uint64_t>(end - kLocatorSize + 8);
      if (!file.inside(record, kEnd64Size) || file.at<std::uint32_t>(record) != kEnd64) {
        file.fail("its zip64 record is damaged");
      }
      return {.entries = file.at<std::uint64_t>(record + 32),
              .offset = file.at<std::uint64_t>(record + 48),
              .size = file.at<std::uint64_t>(record + 40)};
    }
    if (end == 0) break;
  }
  file.fail("the zip archive has no end record: the file is truncated");
}

/// Sizes and offset of an entry that do not fit 32 bits stand in its zip64 field, in this order.
class Wide {
 public:
  Wide(const Reader& file, std::uint64_t extra, std::size_t extra_size) : file_(&file) {
    for (std::size_t at = 0; at + 4 <= extra_size;) {
      const auto size = file.at<std::uint16_t>(extra + at + 2);
      if (size > extra_size - at - 4) break;
      if (file.at<std::uint16_t>(extra + at) == 1) {
        position_ = extra + at + 4;
        end_ = position_ + size;
        return;
      }
      at += 4U + size;
    }
  }

  /// `narrow`, or the next wide value where it says so.
  [[nodiscard]] std::optional<std::uint64_t> resolve(std::uint32_t narrow) {
    if (narrow != kIn64) return narrow;
    if (position_ + 8 > end_) return std::nullopt;
    position_ += 8;
    return file_->at<std::uint64_t>(position_ - 8);
  }

 private:
  const Reader* file_;
  std::uint64_t position_ = 0, end_ = 0;
};

}  // namespace

std::map<std::string, ZipEntry> read_zip_directory(std::span<const std::byte> bytes,
                                                   const std::string& origin) {
  const Reader file(bytes, origin);
  const auto directory = find_directory(file);
  if (!file.inside(directory.offset, directory.size)) {
    file.fail("the zip archive's directory lies outside the file: it is truncated or damaged");
  }
  std::map<std::string, ZipEntry> entries;
  const std::uint64_t end = directory.offset + directory.size;
  std::uint64_t position = directory.offset;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    if (end - position < kCentralSize || file.at<std::uint32_t>(position) != kCentral) {
      file.fail(fmt::format("entry {} of the zip archive's directory is damaged", i));
    }
    const auto flags = file.at<std::uint16_t>(position + 8);
    const auto method = file.at<std::uint16_t>(position + 10);
    const std::size_t name_size = file.at<std::uint16_t>(position + 28);
    const std::size_t extra_size = file.at<std::uint16_t>(position + 30);
    const std::size_t comment_size = file.at<std::uint16_t>(position + 32);
    if (end - position - kCentralSize < name_size + extra_size + comment_size) {
      file.fail(fmt::format("entry {} of the zip archive's directory is damaged", i));
    }
    const std::string name(file.text(position + kCentralSize, name_size));
    Wide wide(file, position + kCentralSize + name_size, extra_size);
    const auto size = wide.resolve(file.at<std::uint32_t>(position + 24));
    const auto compressed = wide.resolve(file.at<std::uint32_t>(position + 20));
    const auto header = wide.resolve(file.at<std::uint32_t>(position + 42));
    const auto refuse = [&](std::string_view why) {
      file.fail(fmt::format("entry {} of the zip archive {}", in_quotes(name), why));
    };
    if ((flags & 1U) != 0) refuse("is encrypted, and weights are not");
    if (method != 0) refuse("is compressed, which torch.save never does: load and save it again");
    if (!size || !compressed || !header || *size != *compressed) refuse("is damaged");
    if (!file.inside(*header, kLocalSize) || file.at<std::uint32_t>(*header) != kLocal) {
      refuse("is not where the directory says: the file is damaged");
    }
    const std::uint64_t own_name = *header + kLocalSize;
    const std::uint64_t data =
        own_name + file.at<std::uint16_t>(*header + 26) + file.at<std::uint16_t>(*header + 28);
    if (!file.inside(data, *size)) refuse("reaches past the end: the file is truncated");
    if (file.at<std::uint16_t>(*header + 26) != name_size ||
        file.text(own_name, name_size) != name) {
      refuse("has another name at its place: the file is damaged");
    }
    const ZipEntry entry{
        .offset = data, .size = *size, .crc32 = file.at<std::uint32_t>(position + 16)};
    if (!entries.emplace(name, entry).second) refuse("is there twice");
    position += kCentralSize + name_size + extra_size + comment_size;
  }
  return entries;
}

}  // namespace cloze
