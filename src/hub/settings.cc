// The settings of the Hub's client, as huggingface_hub's constants.py reads them.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/hub.h"
#include "core/environment.h"
#include "core/io/files.h"
#include "core/numbers.h"
#include "core/strings.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

/// huggingface_hub's idea of true.
bool is_true(const char* name) {
  const auto value = lower_ascii(environment_variable(name).value_or(""));
  constexpr std::array words{"1", "on", "yes", "true"};
  return std::find(words.begin(), words.end(), value) != words.end();
}

/// A path from the environment; a leading ~ is the home directory.
std::optional<fs::path> path_variable(const char* name) {
  const auto value = environment_variable(name);
  if (!value) return std::nullopt;
  if (*value != "~" && !value->starts_with("~/")) return fs::path(*value);
  const auto home = environment_variable("HOME");
  if (!home) {
    throw ArgumentError(fmt::format("{} is {}, and HOME is not set: give it a whole path", name,
                                    in_quotes(*value)));
  }
  return *value == "~" ? fs::path(*home) : fs::path(*home) / value->substr(2);
}

/// Nothing where no variable says where it is.
std::optional<fs::path> hugging_face_home() {
  if (auto path = path_variable("HF_HOME")) return path;
  if (auto path = path_variable("XDG_CACHE_HOME")) return *path / "huggingface";
  const auto home = environment_variable("HOME");
  if (!home) return std::nullopt;
  return fs::path(*home) / ".cache" / "huggingface";
}

fs::path hub_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (auto path = path_variable(name)) return *path;
  }
  if (const auto home = hugging_face_home()) return *home / "hub";
  throw ArgumentError(
      "HOME is not set, so there is no place for downloaded models: set HF_HOME to a directory");
}

/// The token and where it comes from. A token that could not stand in a header is refused here, and
/// not shown.
std::pair<std::string, std::string> find_token() {
  if (is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return {};
  std::string token, source;
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    if (!token.empty()) break;
    token = trimmed(environment_variable(name).value_or(""));
    source = name;
  }
  if (token.empty()) {
    auto path = path_variable("HF_TOKEN_PATH");
    if (const auto home = hugging_face_home(); !path && home) path = *home / "token";
    if (path) {
      token = trimmed(files::text_if_readable(*path).value_or(""));
      source = path->string();
    }
  }
  if (token.empty()) return {};
  const bool printable =
      std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (!printable) {
    throw ArgumentError(
        fmt::format("the token of {} has characters that a token cannot have: set it anew, to "
                    "the token and nothing else",
                    source));
  }
  return {std::move(token), std::move(source)};
}

/// Seconds of a timeout, `otherwise` where the variable is not set.
std::chrono::seconds seconds_variable(const char* name, std::chrono::seconds otherwise) {
  const auto value = environment_variable(name);
  if (!value) return otherwise;
  const auto seconds = whole_number(*value);
  if (!seconds || *seconds < 1 || *seconds > 86400) {
    throw ArgumentError(
        fmt::format("{} is {}: expected seconds, 1 to 86400", name, in_quotes(*value)));
  }
  return std::chrono::seconds(*seconds);
}

std::string find_endpoint() {
  // Set and empty, it says that there is no Hub.
  const char* set = std::getenv("HF_ENDPOINT");  // NOLINT(concurrency-mt-unsafe): as there
  std::string endpoint = set != nullptr ? set : CLOZE_HUB_ENDPOINT;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  if (endpoint.empty()) return endpoint;
  const auto begins = [&](std::string_view scheme) {
    return endpoint.starts_with(scheme) && endpoint.size() > scheme.size();
  };
  const bool printable =
      std::all_of(endpoint.begin(), endpoint.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  // A user and password in the address would end up in messages and in caches' names.
  if ((!begins("https://") && !begins("http://")) || !printable ||
      endpoint.find_first_of("?#@") != std::string::npos) {
    throw ArgumentError(
        "HF_ENDPOINT is not the address of a Hub: expected https://host, without user, password "
        "or query");
  }
  return endpoint;
}

}  // namespace

HubSettings HubSettings::from_environment() {
  HubSettings settings;
  settings.endpoint = find_endpoint();
  settings.cache = hub_cache();
  std::tie(settings.token, settings.token_source) = find_token();
  settings.offline = is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE");
  settings.metadata_timeout = seconds_variable("HF_HUB_ETAG_TIMEOUT", settings.metadata_timeout);
  settings.download_timeout =
      seconds_variable("HF_HUB_DOWNLOAD_TIMEOUT", settings.download_timeout);
  return settings;
}

}  // namespace cloze
