/// \file
/// What the reference implementations say (make_goldens.py).
#pragma once

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "places.h"

namespace cloze::testing {

inline const nlohmann::json& metric_goldens() {
  static const auto all = [] {
    std::ifstream file(std::filesystem::path(kSourceDir) / "tests" / "metrics" / "goldens.json");
    return nlohmann::json::parse(file);
  }();
  return all;
}

}  // namespace cloze::testing
