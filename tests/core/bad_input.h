/// \file
/// Bad input for tests, and what must come of it: a cloze::Error and nothing else, whose message is
/// one line that a terminal can show, and short, however large the bad value is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/temp_directory.h"
#include "core/utf8.h"

namespace cloze::testing {

/// Bytes of a message about a bad value, and about a path or two.
inline constexpr std::size_t kLongestMessage = 1'000, kLongestWithPath = 3'000;

/// Whether a message is one line of text.
inline bool is_printable(std::string_view message) {
  return utf8::valid_prefix(message) == message.size() &&
         std::none_of(message.begin(), message.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

/// The message of the cloze::Error that `call` ends with, empty for none. Fails the test when
/// anything else comes out of it, and for a message that one cannot read.
inline std::string refusal(const std::function<void()>& call, const std::string& what,
                           std::size_t longest = kLongestMessage) {
  try {
    call();
    return "";
  } catch (const Error& error) {
    std::string message = error.what();
    EXPECT_FALSE(message.empty()) << what;
    EXPECT_LE(message.size(), longest) << what << ": " << message.substr(0, 2'000);
    EXPECT_TRUE(is_printable(message)) << what << ": " << message.substr(0, 2'000);
    return message.empty() ? "nothing" : message;
  } catch (const std::exception& error) {
    ADD_FAILURE() << what << ": " << std::string_view(error.what()).substr(0, 2'000);
  } catch (...) {
    ADD_FAILURE() << what << ": something that is no exception";
  }
  return "not an error of Cloze";
}

/// Whether `call` throws, which must be a cloze::Error.
inline bool refuses(const std::function<void()>& call, const std::string& what,
                    std::size_t longest = kLongestMessage) {
  return !refusal(call, what, longest).empty();
}

/// What no field of a file expects.
inline const std::vector<nlohmann::json>& strange_values() {
  using nlohmann::json;
  static const std::vector<json> values{nullptr,
                                        true,
                                        -1,
                                        1.5,
                                        1e300,
                                        std::int64_t{1} << 62,
                                        "",
                                        "strange",
                                        std::string(20'000, 'x'),
                                        "\x1b[31m\r\n" + std::string(20'000, '\x07'),
                                        json::array(),
                                        json::array({json::array()}),
                                        json::array({"x", std::string(20'000, 'y')}),
                                        json::object(),
                                        json::object({{std::string(20'000, 'k'), 1}}),
                                        json(std::vector<std::string>(500, "many")),
                                        json::parse(std::string(60, '[') + std::string(60, ']'))};
  return values;
}

/// Texts that are no JSON: cut, nested too deep, binary, with zero bytes.
inline std::vector<std::string> broken_json(const nlohmann::json& valid) {
  const auto text = valid.dump();
  std::vector<std::string> broken{"",
                                  "{",
                                  "[1,",
                                  "nul",
                                  "{\"a\":1}x",
                                  "\xFF",
                                  std::string(100'000, '['),
                                  std::string(100, '\0'),
                                  text + std::string(1, '\0')};
  for (const std::size_t part : {1U, 2U, 3U})
    broken.push_back(text.substr(0, text.size() * part / 4));
  std::string rubbish;
  for (std::uint32_t i = 0, value = 1; i < 5'000; ++i) {
    value = value * 1'664'525U + 1'013'904'223U;
    rubbish += static_cast<char>(value >> 24U);
  }
  broken.push_back(rubbish);
  return broken;
}

/// Every document that differs from `valid` in one value, or lacks one, and broken ones, as text.
inline void for_each_wrong(const nlohmann::json& valid,
                           const std::function<void(const std::string&)>& visit) {
  using nlohmann::json;
  std::vector<json::json_pointer> places{json::json_pointer()};
  for (std::size_t i = 0; i < places.size(); ++i) {  // grows
    const auto place = places[i];
    const auto& value = valid[place];
    if (value.is_object()) {
      for (const auto& [key, ignored] : value.items()) places.push_back(place / key);
    } else if (value.is_array()) {
      for (std::size_t k = 0; k < std::min<std::size_t>(value.size(), 2); ++k) {
        places.push_back(place / k);
      }
    }
    for (const auto& strange : strange_values()) {
      json changed = valid;
      changed[place] = strange;
      visit(changed.dump());
    }
    if (place.empty()) continue;
    json without = valid;
    auto& parent = without[place.parent_pointer()];
    if (parent.is_object()) {
      parent.erase(place.back());
    } else {
      parent.erase(static_cast<std::size_t>(0));
    }
    visit(without.dump());
  }
  for (const auto& broken : broken_json(valid)) visit(broken);
}

/// Writes each wrong variant of `file` and runs `read`. Some must be refused.
inline void expect_errors_alone(const std::filesystem::path& file, const nlohmann::json& valid,
                                const std::function<void()>& read,
                                std::size_t longest = kLongestMessage) {
  int refused = 0, tried = 0;
  for_each_wrong(valid, [&](const std::string& text) {
    write_file(file, text);
    refused +=
        refuses(read, file.filename().string() + ": " + text.substr(0, 200), longest) ? 1 : 0;
    ++tried;
  });
  EXPECT_GT(refused, 6) << file;
  EXPECT_GT(tried, refused / 2);
  write_file(file, valid.dump());
  EXPECT_NO_THROW(read()) << file;
}

}  // namespace cloze::testing
