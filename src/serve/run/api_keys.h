/// \file
/// The keys that clients may use.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "serve/http/message.h"

namespace cloze::serve {

class ApiKeys {
 public:
  /// `keys` and those of `file`, a key a line (empty: no file). Throws IoError for a file that cannot be
  /// read, FormatError for one without a key.
  ApiKeys(std::vector<std::string> keys, const std::string& file);

  [[nodiscard]] bool any() const { return !keys_.empty(); }
  /// Whether the request has one of the keys, or there are none: `Authorization: Bearer KEY`,
  /// `Authorization: KEY`, `X-Api-Key: KEY` or `api-key: KEY`. Takes as long for a wrong key as for a
  /// right one of its length.
  [[nodiscard]] bool allow(const HttpRequest& request) const;

 private:
  std::vector<std::string> keys_;
};

}  // namespace cloze::serve
