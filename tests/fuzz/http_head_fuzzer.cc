// Arbitrary bytes as the head of a request: refused with a RequestError, or read with one meaning: one
// Host, a length or chunks but not both, and no control character that could end a line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "serve/http/head.h"
#include "serve/request_error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cloze::serve;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto end = find_head_end(bytes);
    if (!end) return 0;
    if (*end > size) std::abort();
    const auto head = read_head(bytes.substr(0, *end));
    if (head.chunked && head.content_length) std::abort();
    int hosts = 0;
    for (const auto& [name, value] : head.request.headers) {
      if (name == "host") ++hosts;
      if (name.empty() || value.find_first_of("\r\n") != std::string::npos) std::abort();
      if (value.find('\0') != std::string::npos) std::abort();
    }
    if (hosts > 1 || (hosts == 0 && !head.http_1_0)) std::abort();
    if (head.request.path.empty() || head.request.path.front() != '/') std::abort();
  } catch (const RequestError& error) {
    if (error.status() < 400 || error.status() > 599) std::abort();
  }
  return 0;
}
