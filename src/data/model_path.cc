#include "data/model_path.h"

#include <cstdlib>
#include <system_error>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {
namespace {

/// A variable of the environment; null when it is not set, or empty.
const char* variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets variables
  return value != nullptr && *value != '\0' ? value : nullptr;
}

bool directory_exists(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

}  // namespace

std::filesystem::path model_cache() {
  if (const char* cache = variable("CLOZE_CACHE")) return cache;
  if (const char* cache = variable("XDG_CACHE_HOME")) {
    return std::filesystem::path(cache) / "cloze";
  }
  const char* home = variable("HOME");
  return std::filesystem::path(home != nullptr ? home : ".") / ".cache" / "cloze";
}

std::filesystem::path find_model(const std::string& directory_or_name) {
  if (directory_or_name.empty()) {
    throw IoError("the model's name is empty: give a directory, or a name in the model cache");
  }
  std::filesystem::path given(directory_or_name);
  if (directory_exists(given)) return given;
  std::error_code ignored;
  if (std::filesystem::exists(given, ignored)) {
    throw IoError(
        fmt::format("{} is a file: a model is a directory with config.json, a vocabulary "
                    "and weights",
                    directory_or_name));
  }
  const auto cache = model_cache();
  if (given.is_relative()) {
    for (const auto& candidate : {cache / given, cache / given.filename()}) {
      if (directory_exists(candidate)) return candidate;
    }
  }
  throw IoError(fmt::format("there is no model {}: neither a directory of that name nor {} exists",
                            directory_or_name, (cache / given.filename()).string()));
}

}  // namespace cloze
