/// \file
/// What the reference implementations say (make_goldens.py).
#pragma once

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

namespace cloze::testing {

inline const nlohmann::json& metric_goldens() {
  static const auto all = [] {
    std::ifstream file(std::filesystem::path(CLOZE_SOURCE_DIR) / "tests" / "metrics" /
                       "goldens.json");
    return nlohmann::json::parse(file);
  }();
  return all;
}

}  // namespace cloze::testing
