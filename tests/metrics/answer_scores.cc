// CMRC's scores of answers, for tests/conformance/cmrc.py.
//
//   answer_scores < PAIRS
//
// A line is a JSON array of the right answer and the one that was found. Prints for each exact match,
// F1, and the segments of both, as a JSON array.
#include <iostream>
#include <string>

#include <nlohmann/json.hpp>

#include "core/utf8.h"
#include "metrics/cmrc.h"

namespace {

nlohmann::json segments(const std::string& text) {
  auto list = nlohmann::json::array();
  for (const auto& segment : cloze::cmrc_segments(text)) {
    std::string bytes;
    for (const char32_t c : segment) {
      char encoded[4];
      bytes.append(encoded, static_cast<std::size_t>(cloze::utf8::encode(c, encoded)));
    }
    list.push_back(bytes);
  }
  return list;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto pair = nlohmann::json::parse(line);
    const auto gold = pair.at(0).get<std::string>(), predicted = pair.at(1).get<std::string>();
    std::cout << nlohmann::json{cloze::cmrc_exact_match(gold, predicted) ? 1 : 0,
                                cloze::cmrc_f1(gold, predicted), segments(gold),
                                segments(predicted)}
                     .dump()
              << '\n';
  }
}
