/// \file
/// Which addresses belong to mapped files: what a handler of SIGBUS can look up.
#pragma once

#include <cstddef>

namespace cloze {

/// Lists a mapping while it lives. One that finds no place in the table is not guarded.
class MappedRegion {
 public:
  MappedRegion() = default;
  /// `path` stays where it is as long as this lives.
  MappedRegion(const void* begin, std::size_t size, const char* path);
  MappedRegion(const MappedRegion&) = delete;
  MappedRegion& operator=(const MappedRegion&) = delete;
  MappedRegion(MappedRegion&&) = delete;
  MappedRegion& operator=(MappedRegion&&) = delete;
  ~MappedRegion();

  /// Whether zeros had to be put into it.
  [[nodiscard]] bool cut() const;

 private:
  int place_ = -1;
};

}  // namespace cloze
