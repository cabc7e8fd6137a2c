/// \file
/// The head of a request, as bytes, before any parser sees it: what parsers disagree about is
/// refused, for that is what request smuggling is made of (RFC 9112, sections 2.2, 3.2, 5.2, 6.3).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/message.h"

namespace cloze::serve {

struct HeadLimits {
  std::size_t head = std::size_t{16} << 10U;   ///< bytes of it all
  std::size_t target = std::size_t{8} << 10U;  ///< bytes of the target
  std::size_t fields = 100;                    ///< header lines
};

/// What a head says that the connection needs to know.
struct Head {
  HttpRequest request;  ///< without body
  std::optional<std::size_t> content_length;
  bool chunked = false, keep_alive = true, expects_continue = false;
  bool http_1_0 = false;
};

/// Reads a head with the empty line that ends it. Throws RequestError: 400 for one that is ill
/// formed or could be read in two ways, 414 and 431 for one that is too long, 417 for an expectation
/// that is not 100-continue, 501 for a transfer coding other than chunked, 505 for another version.
[[nodiscard]] Head read_head(std::string_view bytes, const HeadLimits& limits = {});

/// Where a head ends in `bytes`: behind its empty line; nothing while that has not come. Throws
/// RequestError for bytes that can be no head: too many, or a line that ends without CR.
[[nodiscard]] std::optional<std::size_t> find_head_end(std::string_view bytes,
                                                       const HeadLimits& limits = {});

/// `text` with %41 as A, each once. Throws RequestError (400) for a malformed one, and for %00.
[[nodiscard]] std::string percent_decoded(std::string_view text);

}  // namespace cloze::serve
