#include "serve/json/reader.h"

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "serve/request_error.h"

namespace cloze::serve {
namespace {

using nlohmann::json;

RequestError bad_json(const std::string& what) { return {400, "Validation", what}; }

/// Builds the tree while nlohmann's parser reads, and counts.
class Builder : public nlohmann::json_sax<json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  [[nodiscard]] json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }  // not in JSON's text
  bool start_object(std::size_t /*elements*/) override { return open(json::object()); }
  bool start_array(std::size_t /*elements*/) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    count();
    auto& object = *open_.back();
    if (object.contains(name)) {
      throw bad_json(fmt::format("the name \"{}\" stands twice in one object: state it once",
                                 name.substr(0, 100)));
    }
    next_ = &(object[std::move(name)] = nullptr);
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*last*/,
                   const nlohmann::detail::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 8: syntax error ...; last
    // read: '...'": the client's own text is left out.
    const std::string what = error.what();
    if (what.find("out_of_range") != std::string::npos) {
      throw bad_json(fmt::format("byte {} of the body: a number is too large", position));
    }
    auto reason = what.substr(std::min(what.find("] "), what.size()));
    const auto details = reason.find(": ");
    reason = details == std::string::npos ? "a syntax error" : reason.substr(details + 2);
    if (const auto last = reason.find("; last read"); last != std::string::npos) {
      const auto expected = reason.find("; expected");
      reason = reason.substr(0, last) +
               (expected != std::string::npos ? reason.substr(expected) : std::string());
    }
    throw bad_json(fmt::format("the body is not JSON in UTF-8: byte {}: {}", position, reason));
  }

 private:
  void count() {
    if (++values_ > limits_.values) {
      throw bad_json(
          fmt::format("the body has more than {} JSON values: divide it over several "
                      "requests",
                      limits_.values));
    }
  }

  json* place(json&& value) {
    count();
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    auto& parent = *open_.back();
    if (parent.is_object()) {
      *next_ = std::move(value);
      return next_;
    }
    parent.push_back(std::move(value));
    return &parent.back();
  }

  bool add(json value) {
    place(std::move(value));
    return true;
  }

  bool open(json value) {
    if (open_.size() >= limits_.depth) {
      throw bad_json(
          fmt::format("the body's lists and objects stand in each other more than {} "
                      "deep: no request does",
                      limits_.depth));
    }
    open_.push_back(place(std::move(value)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const JsonLimits& limits_;
  json root_;
  std::vector<json*> open_;
  json* next_ = nullptr;
  std::size_t values_ = 0;
};

}  // namespace

json parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.empty()) throw bad_json("the body is empty: send a JSON object");
  // The parser takes a zero byte for the end.
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
    throw bad_json(fmt::format("the body is not JSON: byte {} is a zero byte", zero + 1));
  }
  Builder builder(limits);
  try {
    if (!json::sax_parse(text, &builder)) throw bad_json("the body is not JSON");
  } catch (const json::exception&) {
    throw bad_json("the body is not JSON, or has a number that is too large");
  }
  return builder.take();
}

json parse_object(std::string_view text, const JsonLimits& limits) {
  auto value = parse_json(text, limits);
  if (!value.is_object()) {
    throw invalid(fmt::format("the body is a JSON {}: send an object", value.type_name()));
  }
  return value;
}

}  // namespace cloze::serve
