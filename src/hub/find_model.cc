#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/hub.h"
#include "core/cache_folder.h"
#include "core/io/files.h"
#include "core/strings.h"

namespace cloze {
std::filesystem::path model_cache() {
  if (auto cache = cache_folder()) return *std::move(cache);
  throw IoError("HOME is not set: set CLOZE_CACHE to the directory that models are kept in");
}

std::filesystem::path find_model(const std::string& directory_or_name,
                                 const ProgressCallback& progress, const NoticeCallback& notice) {
  if (directory_or_name.empty()) {
    throw IoError("the model's name is empty: give a directory, or a name in the model cache");
  }
  std::filesystem::path given(directory_or_name);
  if (files::is_directory(given)) return given;
  if (files::exists(given)) {
    throw IoError(
        fmt::format("{} is a file: a model is a directory with config.json, a vocabulary "
                    "and weights",
                    excerpt_of_path(given)));
  }
  const auto cache = cache_folder();
  if (cache && given.is_relative()) {
    for (const auto& candidate : {*cache / given, *cache / given.filename()}) {
      if (files::is_directory(candidate)) return candidate;
    }
  }
  const auto nowhere =
      cache ? fmt::format("there is no model {}: neither a directory of that name nor {} exists",
                          excerpt_of_path(given), excerpt_of_path(*cache / given.filename()))
            : fmt::format(
                  "there is no directory {}, and HOME is not set to look for a cache of models",
                  excerpt_of_path(given));
#if CLOZE_HAVE_HUB
  if (!is_hub_name(directory_or_name)) throw IoError(nowhere);
  auto settings = HubSettings::from_environment();
  settings.progress = progress;
  settings.notice = notice;
  try {
    return hub_model(directory_or_name, settings).directory;
  } catch (const IoError& error) {
    throw IoError(fmt::format("{}; from the Hub: {}", nowhere, error.what()));
  }
#else
  static_cast<void>(progress);
  static_cast<void>(notice);
  throw IoError(nowhere + "; this build of Cloze does not fetch models from the Hub");
#endif
}

}  // namespace cloze
