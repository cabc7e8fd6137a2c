/// \file
/// The files of a directory, written as one: what a model is made of appears together, or not at
/// all.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/function_ref.h"
#include "core/io/descriptor.h"
#include "core/io/temporaries.h"

namespace cloze {

/// Files go to a temporary directory first; `commit` gives them their places. Without a
/// commit (an exception on the way) the temporary is removed, and the target stays as it was.
///
/// * A target that is not there yet appears in one step, by a rename.
/// * In one that is there, files of the same names are replaced, and others stay. Old files are set
///   aside before new ones come, the `keys` first, and they come last: whoever finds them finds the
///   whole. An error on the way puts the old files back. Modes and owners are kept, and
///   files that may not be written are not replaced, as core/io/atomic_file.h has it. Links are
///   replaced, not followed.
/// * What a killed process of before left behind is removed; the own temporary is listed for
///   `remove_temporaries`.
///
/// Every member throws IoError.
class WholeDirectory {
 public:
  /// Makes the temporary: beside a target that is not there yet, else inside of it, so that its
  /// parent need not be writable (a mounted volume).
  explicit WholeDirectory(const std::filesystem::path& target);
  WholeDirectory(const WholeDirectory&) = delete;
  WholeDirectory& operator=(const WholeDirectory&) = delete;
  WholeDirectory(WholeDirectory&&) = delete;
  WholeDirectory& operator=(WholeDirectory&&) = delete;
  ~WholeDirectory();

  /// Calls `write` with the directory to write files to, and to make directories in. Its IoErrors
  /// are thrown as about the target.
  void fill(FunctionRef<void(const std::filesystem::path&)> write) const;

  /// Puts the files in place. `obsolete`, names relative to the target, are removed where the new
  /// files have none of that name. `keys` are the files without which readers find nothing.
  void commit(const std::vector<std::string>& keys, const std::vector<std::string>& obsolete = {});

  /// Whether an entry of a directory is the temporary of a WholeDirectory for it.
  [[nodiscard]] static bool is_temporary(const std::filesystem::path& entry);

 private:
  void make_temporary(const std::filesystem::path& beside);
  [[nodiscard]] std::filesystem::path made() const { return temporary_ / "new"; }
  void replace(const std::vector<std::string>& keys, const std::vector<std::string>& obsolete);

  std::filesystem::path target_;     ///< where links lead
  std::filesystem::path temporary_;  ///< holds `new`, and `old` while files are replaced
  Temporary listed_;
  Descriptor lock_;  ///< tells other processes that the temporary is in use
  bool inside_ = false;
};

}  // namespace cloze
