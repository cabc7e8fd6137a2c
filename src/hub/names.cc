#include "hub/names.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/hub.h"
#include "core/json.h"

namespace cloze {
namespace hub {
namespace {

constexpr std::size_t kLongestName = 96;  // huggingface_hub's limit for "owner/name"
constexpr std::size_t kLongestPath = 1024;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// huggingface_hub's rule: letters, digits, '-', '_', '.'; neither first nor last '-' or '.'; no
/// "--" and no "..".
bool is_name_part(std::string_view part) {
  const auto edge = [](char c) { return c == '-' || c == '.'; };
  return !part.empty() && !edge(part.front()) && !edge(part.back()) &&
         part.find("--") == std::string_view::npos && part.find("..") == std::string_view::npos &&
         std::all_of(part.begin(), part.end(), [](char c) {
           return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.';
         });
}

bool is_name(std::string_view name) {
  const auto slash = name.find('/');
  if (name.size() > kLongestName) return false;
  if (slash == std::string_view::npos) return is_name_part(name);
  return is_name_part(name.substr(0, slash)) && is_name_part(name.substr(slash + 1));
}

/// What is wrong with "owner/name@revision"; empty if nothing is.
std::string problem_of(std::string_view name, std::optional<std::string_view> revision) {
  if (!is_name(name)) {
    return fmt::format(
        "{} is no name of a model on the Hub: expected owner/name, of letters, digits, '-', '_' "
        "and '.'",
        in_quotes(name));
  }
  if (revision && !is_safe_path(*revision)) {
    return fmt::format(
        "{} is no revision of a model: expected a branch, a tag or a commit after the '@'",
        in_quotes(*revision));
  }
  return {};
}

std::pair<std::string_view, std::optional<std::string_view>> split(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos) return {text, std::nullopt};
  return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

Reference parse_reference(std::string_view text) {
  const auto [name, revision] = split(text);
  if (auto problem = problem_of(name, revision); !problem.empty()) throw ArgumentError(problem);
  Reference reference;
  reference.name = name;
  if (revision) reference.revision = *revision;
  return reference;
}

bool is_commit(std::string_view revision) { return is_hex(revision, 40); }

bool is_safe_path(std::string_view path) {
  if (path.empty() || path.size() > kLongestPath) return false;
  const bool printable = std::all_of(path.begin(), path.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7F;
  });
  if (!printable) return false;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    const auto part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

bool is_hex(std::string_view text, std::size_t count) {
  return text.size() == count && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string percent_encoded(std::string_view text, bool keep_slashes) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = is_letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
    if (plain || (keep_slashes && c == '/')) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace hub

bool is_hub_name(std::string_view name) {
  const auto [model, revision] = hub::split(name);
  return hub::problem_of(model, revision).empty();
}

}  // namespace cloze
