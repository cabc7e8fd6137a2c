/// \file
/// A small tokenizer and files for the tests of tasks.
#pragma once

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/config.h"
#include "cloze/error.h"
#include "cloze/tensor.h"
#include "cloze/tokenizer.h"
#include "core/temp_directory.h"
#include "places.h"
#include "tasks/task.h"

namespace cloze::testing {

class TaskTest : public ::testing::Test {
 protected:
  static std::filesystem::path model() {
    return std::filesystem::path(kSourceDir) / "tests" / "goldens" / "sequence_3_labels";
  }
  static const Tokenizer& tokenizer() {
    static const auto tokenizer = Tokenizer::from_pretrained(model());
    return tokenizer;
  }
  static BertConfig config() {
    auto config = BertConfig::from_pretrained(model());
    config.id2label.clear();
    return config;
  }
  std::filesystem::path file(std::string_view name, std::string_view content) {
    return folder_.write(name, content);
  }
  [[nodiscard]] std::string path(std::string_view name) const {
    return (folder_.path() / name).string();
  }

  TempDirectory folder_;
};

/// Logits of one unit: [1, values].
inline Tensor logits_of(std::initializer_list<float> values) {
  return Tensor::from<float>({1, static_cast<std::int64_t>(values.size())},
                             std::span(values.begin(), values.size()));
}

/// What `body` throws says.
inline std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace cloze::testing
