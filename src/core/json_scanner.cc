#include "core/json_scanner.h"

#include <limits>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/utf8.h"

namespace cloze {
namespace {

bool is_json_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

bool is_scalar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '+' || c == '.';
}

}  // namespace

JsonScanner::JsonScanner(std::string_view json, std::string origin)
    : json_(json), origin_(std::move(origin)), at_(utf8::valid_prefix(json)) {
  if (at_ != json.size()) fail("not UTF-8");
  at_ = 0;
  skip_space();
}

void JsonScanner::fail(const std::string& what) const {
  throw FormatError(fmt::format("{}: {} at byte {}; it must be JSON as transformers writes it",
                                origin_, what, at_));
}

void JsonScanner::skip_space() {
  while (at_ < json_.size() && is_json_space(json_[at_])) ++at_;
}

bool JsonScanner::accept(char c) {
  if (at_ >= json_.size() || json_[at_] != c) return false;
  ++at_;
  skip_space();
  return true;
}

void JsonScanner::expect(char c) {
  if (!accept(c)) fail(at_ >= json_.size() ? "the file ends early" : fmt::format("no '{}'", c));
}

bool JsonScanner::at_object() const { return at_ < json_.size() && json_[at_] == '{'; }

bool JsonScanner::at_array() const { return at_ < json_.size() && json_[at_] == '['; }

void JsonScanner::end() {
  if (at_ != json_.size()) fail("something after the end of the document");
}

std::string_view JsonScanner::string(std::string& storage) {
  if (at_ >= json_.size() || json_[at_] != '"') fail("no string");
  const auto find_special = [this](std::size_t from) {
    while (from < json_.size() && json_[from] != '"' && json_[from] != '\\') {
      if (static_cast<unsigned char>(json_[from]) < 0x20) {
        at_ = from;
        fail("a control character in a string");
      }
      ++from;
    }
    return from < json_.size() ? from : std::string_view::npos;
  };
  const std::size_t begin = ++at_;
  std::size_t plain = find_special(at_);
  if (plain != std::string_view::npos && json_[plain] == '"') {
    at_ = plain + 1;
    skip_space();
    return json_.substr(begin, plain - begin);
  }
  storage.clear();
  const auto hex4 = [this]() -> char32_t {
    char32_t value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = at_ < json_.size() ? json_[at_] : ' ';
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail("a bad \\u escape");
      value = value << 4U | static_cast<char32_t>(digit);
    }
    return value;
  };
  for (;;) {
    plain = find_special(at_);
    if (plain == std::string_view::npos || plain + 1 >= json_.size()) fail("an unfinished string");
    storage.append(json_.substr(at_, plain - at_));
    at_ = plain + 1;
    if (json_[plain] == '"') break;
    const char escape = json_[at_++];
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
    if (const auto i = kNames.find(escape); i != std::string_view::npos) {
      storage.push_back(kValues[i]);
      continue;
    }
    if (escape != 'u') fail("an unknown escape");
    char32_t cp = hex4();
    if (cp >= 0xD800 && cp < 0xDC00 && json_.substr(at_, 2) == "\\u") {
      at_ += 2;
      const char32_t low = hex4();
      if (low < 0xDC00 || low > 0xDFFF) fail("half a surrogate pair");
      cp = 0x10000 + ((cp - 0xD800) << 10U) + (low - 0xDC00);
    }
    if (cp >= 0xD800 && cp <= 0xDFFF) fail("half a surrogate pair");
    char bytes[4];
    storage.append(bytes, static_cast<std::size_t>(utf8::encode(cp, bytes)));
  }
  skip_space();
  return storage;
}

std::int32_t JsonScanner::id() {
  std::int64_t value = -1;
  while (at_ < json_.size() && json_[at_] >= '0' && json_[at_] <= '9') {
    value = (value < 0 ? 0 : value * 10) + (json_[at_++] - '0');
    if (value > std::numeric_limits<std::int32_t>::max()) fail("an id past 2^31");
  }
  if (value < 0 || (at_ < json_.size() && is_scalar(json_[at_]))) fail("no id (a whole number)");
  skip_space();
  return static_cast<std::int32_t>(value);
}

std::string_view JsonScanner::number() {
  const std::size_t begin = at_;
  const auto take = [this](char c) {
    const bool there = at_ < json_.size() && json_[at_] == c;
    at_ += there ? 1 : 0;
    return there;
  };
  const auto digits = [this] {
    const std::size_t from = at_;
    while (at_ < json_.size() && json_[at_] >= '0' && json_[at_] <= '9') ++at_;
    return at_ > from;
  };
  take('-');
  bool good = take('0') || digits();
  if (good && take('.')) good = digits();
  if (good && (take('e') || take('E'))) {
    if (!take('+')) take('-');
    good = digits();
  }
  if (!good || (at_ < json_.size() && is_scalar(json_[at_]))) fail("no number");
  const auto number = json_.substr(begin, at_ - begin);
  skip_space();
  return number;
}

std::string_view JsonScanner::value() {
  const std::size_t begin = at_;
  std::string nesting;
  std::string storage;
  do {
    const char c = at_ < json_.size() ? json_[at_] : '\0';
    if (c == '"') {
      (void)string(storage);
    } else if (c == '{' || c == '[') {
      nesting.push_back(c);
      ++at_;
    } else if (!nesting.empty() && (c == '}' || c == ']')) {
      if ((c == '}') != (nesting.back() == '{')) fail("brackets that do not match");
      nesting.pop_back();
      ++at_;
    } else if (!nesting.empty() && (c == ',' || c == ':')) {
      ++at_;
    } else if (is_scalar(c)) {
      while (at_ < json_.size() && is_scalar(json_[at_])) ++at_;
    } else {
      fail(at_ >= json_.size() ? "the file ends early" : "something that is no value");
    }
    skip_space();
  } while (!nesting.empty());
  return json_.substr(begin, at_ - begin);
}

}  // namespace cloze
