#include "export/destination.h"

#include <algorithm>
#include <array>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "checkpoint/model_files.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/whole_directory.h"
#include "core/json.h"
#include "core/strings.h"

namespace cloze::internal {
namespace {

namespace fs = std::filesystem;

/// Whether a directory's configuration or weights say that a model is in it.
bool holds_model(const fs::path& directory) {
  if (!files::exists(directory / "config.json")) {
    const auto names = saved_model_files(directory);
    return std::any_of(names.begin(), names.end(), is_saved_weights);
  }
  try {
    const auto config = read_json_object(directory / "config.json");
    constexpr std::array kKeys{"model_type", "architectures", "hidden_size", "__version__"};
    return std::any_of(kKeys.begin(), kKeys.end(),
                       [&](const char* key) { return config.contains(key); });
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void require_elsewhere(const fs::path& destination, const fs::path& source) {
  std::error_code error;
  const auto from = fs::weakly_canonical(source, error);
  const auto to = fs::weakly_canonical(destination, error);
  const auto differ = std::mismatch(from.begin(), from.end(), to.begin(), to.end());
  if (error || differ.first != from.end()) return;
  throw ArgumentError(fmt::format("{} {} what is converted: name another directory to write to",
                                  excerpt_of_path(destination),
                                  differ.second == to.end() ? "is" : "lies in"));
}

void require_free(const fs::path& directory, bool overwrite) {
  if (!files::is_directory(directory)) return;  // where it is a file, making it fails
  auto entries = files::list(directory);
  std::erase_if(entries, WholeDirectory::is_temporary);
  if (entries.empty()) return;
  const auto name = excerpt_of_path(directory);
  for (const auto& entry : entries) {
    const auto file = entry.filename().string();
    if (file == "run.json" || file == ".run-begun" || file.starts_with("checkpoint-")) {
      throw ArgumentError(fmt::format(
          "{} holds a training run ({}), which is not overwritten: give another directory", name,
          excerpt(file)));
    }
  }
  if (!overwrite) {
    throw ArgumentError(
        fmt::format("{} is not empty: overwrite the model in it, or give another directory", name));
  }
  if (!holds_model(directory)) {
    throw ArgumentError(
        fmt::format("{} is not empty and holds no model, and overwriting replaces nothing else: "
                    "give another directory",
                    name));
  }
}

void write_whole(const fs::path& destination, bool overwrite,
                 FunctionRef<void(const fs::path&)> fill) {
  WholeDirectory whole(destination);
  whole.fill(fill);
  require_free(destination, overwrite);  // and still is
  std::vector<std::string> earlier;
  if (files::is_directory(destination)) earlier = saved_model_files(destination);
  whole.commit({"config.json"}, earlier);
}

}  // namespace cloze::internal
