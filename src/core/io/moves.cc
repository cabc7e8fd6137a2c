#include "core/io/moves.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/error.h"
#include "core/strings.h"

namespace cloze {
namespace {

[[noreturn]] void fail_to_move(const std::filesystem::path& about, int cause) {
  throw IoError(fmt::format("cannot write {}: {}", excerpt_of_path(about),
                            std::generic_category().message(cause)));
}

}  // namespace

Moves::~Moves() {
  std::for_each(done_.rbegin(), done_.rend(), [](const Step& step) {
    if (step.from.empty()) {
      ::rmdir(step.to.c_str());
    } else {
      ::rename(step.to.c_str(), step.from.c_str());
    }
  });
}

void Moves::move(const std::filesystem::path& from, const std::filesystem::path& to,
                 const std::filesystem::path& about) {
  done_.push_back({from, to});  // before: what cannot be remembered could not be undone
  if (::rename(from.c_str(), to.c_str()) == 0) return;
  const int cause = errno;
  done_.pop_back();
  fail_to_move(about, cause);
}

void Moves::make_directory(const std::filesystem::path& directory) {
  done_.push_back({{}, directory});
  if (::mkdir(directory.c_str(), 0777) == 0) return;
  const int cause = errno;
  done_.pop_back();
  std::error_code ignored;
  if (cause != EEXIST || !std::filesystem::is_directory(directory, ignored))
    fail_to_move(directory, cause);
}

}  // namespace cloze
