/// \file
/// Renames that belong together: all of them happen, or none.
#pragma once

#include <filesystem>
#include <vector>

#include "core/io/temporaries.h"

namespace cloze {

/// A series of renames, which the destructor undoes in reverse unless `keep` was called. A signal
/// whose handler ends the process waits for the end of the series.
class Moves {
 public:
  Moves() = default;
  Moves(const Moves&) = delete;
  Moves& operator=(const Moves&) = delete;
  Moves(Moves&&) = delete;
  Moves& operator=(Moves&&) = delete;
  ~Moves();

  /// Renames. Throws IoError about `about`, the name that a user knows.
  void move(const std::filesystem::path& from, const std::filesystem::path& to,
            const std::filesystem::path& about);

  /// Makes a directory unless it is there. Throws IoError.
  void make_directory(const std::filesystem::path& directory);

  /// Everything is in place.
  void keep() { done_.clear(); }

 private:
  struct Step {
    std::filesystem::path from, to;  ///< `from` is empty where `to` is a directory that was made
  };
  SignalsHeld held_;
  std::vector<Step> done_;
};

}  // namespace cloze
