#include "serve/run/api_keys.h"

#include <fstream>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze::serve {
namespace {

/// Looks at every byte, wherever the first difference is.
bool same(std::string_view a, std::string_view b) {
  if (b.empty()) return false;
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i % b.size()]);
  }
  return difference == 0;
}

std::string_view stated(const HttpRequest& request) {
  auto key = request.header("authorization");
  if (key.size() > 7 && (key.starts_with("Bearer ") || key.starts_with("bearer "))) {
    key.remove_prefix(7);
  }
  if (key.empty()) key = request.header("x-api-key");
  return key.empty() ? request.header("api-key") : key;
}

}  // namespace

ApiKeys::ApiKeys(std::vector<std::string> keys, const std::string& file) : keys_(std::move(keys)) {
  if (file.empty()) return;
  std::ifstream stream(file);
  if (!stream) throw IoError(fmt::format("{}: cannot be read: give --api-key-file a file", file));
  const auto before = keys_.size();
  for (std::string line; std::getline(stream, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty()) keys_.push_back(line);
  }
  if (keys_.size() == before) {
    throw FormatError(fmt::format("{}: there is no key in it: write one a line", file));
  }
}

bool ApiKeys::allow(const HttpRequest& request) const {
  if (keys_.empty()) return true;
  const auto key = stated(request);
  bool found = false;
  for (const auto& each : keys_) found |= same(key, each);
  return found;
}

}  // namespace cloze::serve
