#include "serve/http/head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

#include "serve/request_error.h"

namespace cloze::serve {
namespace {

RequestError bad(int status, const std::string& what) {
  RequestError error(status, "Validation", what);
  error.close = true;  // where the next request begins is not known
  return error;
}

bool is_token_character(char c) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         others.find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// The request line: method, target, version.
void read_request_line(std::string_view line, const HeadLimits& limits, Head& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    throw bad(400, "the request line is not \"METHOD TARGET HTTP/1.1\"");
  }
  const auto method = line.substr(0, first);
  const auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!is_token(method) || method.size() > 32) throw bad(400, "the method is not a word");
  if (target.size() > limits.target) {
    throw bad(414, fmt::format("the target has {} bytes, and {} are the most", target.size(),
                               limits.target));
  }
  for (const char c : target) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) {
      throw bad(400, "the target has a space or control character: write it as %20");
    }
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    if (version.starts_with("HTTP/")) throw bad(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    throw bad(400, "the request line is not \"METHOD TARGET HTTP/1.1\"");
  }
  head.http_1_0 = version == "HTTP/1.0";
  head.keep_alive = !head.http_1_0;
  std::string_view path = target;
  if (path.starts_with("http://")) {  // the absolute form, as clients send to proxies
    const auto slash = path.find('/', 7);
    path = slash == std::string_view::npos ? "/" : path.substr(slash);
  }
  if (!path.starts_with('/')) throw bad(400, "the target does not begin with /");
  const auto question = path.find('?');
  head.request.method = method;
  head.request.path = percent_decoded(path.substr(0, question));
  if (question != std::string_view::npos) head.request.query = path.substr(question + 1);
}

std::size_t read_length(std::string_view value) {
  std::size_t length = 0;
  const auto [stopped, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  const bool digits = !value.empty() && std::all_of(value.begin(), value.end(),
                                                    [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) throw bad(400, "Content-Length is not a number");
  if (error != std::errc() || stopped != value.data() + value.size()) {
    throw bad(413, "Content-Length is larger than any body");
  }
  return length;
}

// What a header means to the connection.
void apply(const std::string& name, std::string_view value, int& hosts, bool& has_coding,
           Head& head) {
  if (name == "host") {
    ++hosts;
  } else if (name == "content-length") {
    if (head.content_length) throw bad(400, "there are two Content-Length headers: send one");
    head.content_length = read_length(value);
  } else if (name == "transfer-encoding") {
    if (has_coding || lower(value) != "chunked") {
      throw bad(501, "the only Transfer-Encoding that is understood here is \"chunked\"");
    }
    has_coding = head.chunked = true;
  } else if (name == "connection") {
    const auto options = lower(value);
    if (options.find("close") != std::string::npos) head.keep_alive = false;
    // Connections of HTTP/1.0 are closed.
  } else if (name == "expect") {
    if (lower(value) != "100-continue") throw bad(417, "the only Expect here is 100-continue");
    head.expects_continue = !head.http_1_0;
  }
}

}  // namespace

std::optional<std::size_t> find_head_end(std::string_view bytes, const HeadLimits& limits) {
  const auto end = bytes.find("\r\n\r\n");
  const auto head = bytes.substr(0, end == std::string_view::npos ? end : end + 4);
  for (std::size_t at = head.find('\n'); at != std::string_view::npos;
       at = head.find('\n', at + 1)) {
    if (at == 0 || head[at - 1] != '\r') {
      throw bad(400, "a line of the head ends without CR: lines end with CR LF");
    }
  }
  if (end != std::string_view::npos && end + 4 <= limits.head) return end + 4;
  if (bytes.size() < limits.head) return std::nullopt;
  const auto line_end = bytes.find('\r');
  if (line_end == std::string_view::npos || line_end > limits.target + 64) {
    throw bad(414, fmt::format("the target has over {} bytes", limits.target));
  }
  throw bad(431, fmt::format("the head has over {} bytes", limits.head));
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const auto digits = text.substr(i + 1, 2);
    const auto [stopped, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() < 2 || error != std::errc() || stopped != digits.data() + 2 || value == 0) {
      throw bad(400, "the target has a % that no two hexadecimal digits follow, or %00");
    }
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

Head read_head(std::string_view bytes, const HeadLimits& limits) {
  Head head;
  int hosts = 0;
  bool has_coding = false;
  for (bool first = true; true; first = false) {
    const auto end = bytes.find("\r\n");
    if (end == std::string_view::npos) throw bad(400, "the head does not end");
    const auto line = bytes.substr(0, end);
    bytes.remove_prefix(end + 2);
    if (first) {
      read_request_line(line, limits, head);
      continue;
    }
    if (line.empty()) break;
    if (line.front() == ' ' || line.front() == '\t') {
      throw bad(400, "a header goes on in a second line (obs-fold): write it in one");
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
      throw bad(400, "a header is not \"Name: value\"");
    }
    const auto value = trimmed(line.substr(colon + 1));
    for (const char c : value) {
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F) {
        throw bad(400, "the value of a header has a control character");
      }
    }
    if (head.request.headers.size() >= limits.fields) {
      throw bad(431, fmt::format("there are over {} headers", limits.fields));
    }
    auto name = lower(line.substr(0, colon));
    apply(name, value, hosts, has_coding, head);
    head.request.headers.emplace_back(std::move(name), value);
  }
  if (head.chunked && (head.content_length || head.http_1_0)) {
    throw bad(400, head.http_1_0 ? "HTTP/1.0 has no Transfer-Encoding"
                                 : "there are both Content-Length and Transfer-Encoding: send one");
  }
  if (hosts > 1 || (hosts == 0 && !head.http_1_0)) {
    throw bad(400, "there must be one Host header");
  }
  return head;
}

}  // namespace cloze::serve
