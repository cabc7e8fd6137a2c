/// \file
/// A file whose content a fuzzer changes, in memory (/dev/shm) where the system has that.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

namespace cloze::testing {

class FuzzedFile {
 public:
  explicit FuzzedFile(const std::string& name, std::filesystem::path directory = {}) {
    if (directory.empty()) {
      const bool in_memory = std::filesystem::is_directory("/dev/shm");
      const auto base = in_memory ? "/dev/shm" : std::filesystem::temp_directory_path();
      std::string pattern = (base / "cloze-fuzz-XXXXXX").string();
      if (::mkdtemp(pattern.data()) == nullptr) std::abort();
      directory = made_ = pattern;
    }
    path_ = directory / name;
  }
  FuzzedFile(const FuzzedFile&) = delete;
  FuzzedFile& operator=(const FuzzedFile&) = delete;
  ~FuzzedFile() {
    std::error_code ignored;
    if (!made_.empty()) std::filesystem::remove_all(made_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  void write(std::span<const std::uint8_t> bytes) const {
    std::ofstream file(path_, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) std::abort();
  }

 private:
  std::filesystem::path path_, made_;
};

}  // namespace cloze::testing
