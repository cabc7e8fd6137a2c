/// \file
/// Models, transformers' answers and helpers for the tests of pipelines.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "cloze/pipeline.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"
#include "places.h"

namespace cloze::testing {

/// What transformers says (tests/cli/make_goldens.py, make_task_goldens.py).
inline const nlohmann::json& answers_of_transformers(std::string_view file) {
  const auto read = [](std::string_view name) {
    return nlohmann::json::parse(
        read_file(std::filesystem::path(kSourceDir) / "tests" / "cli" / name));
  };
  static const auto models = read("goldens.json"), tasks = read("task_goldens.json");
  return file == "goldens.json" ? models : tasks;
}

/// A copy of a golden model whose config.json `edit` changes.
inline std::string edited_model(const TempDirectory& folder, std::string_view name,
                                const std::function<void(nlohmann::json&)>& edit) {
  const auto copy = folder / name;
  std::filesystem::copy(golden_directory(name), copy);
  auto config = nlohmann::json::parse(read_file(copy / "config.json"));
  edit(config);
  write_file(copy / "config.json", config.dump());
  return copy.string();
}

/// Gives a config these labels.
inline void set_labels(nlohmann::json& config, const std::vector<std::string>& labels) {
  config.erase("label2id");
  config["id2label"] = nlohmann::json::object();
  for (std::size_t i = 0; i < labels.size(); ++i) config["id2label"][std::to_string(i)] = labels[i];
}

/// sequence_3_labels with the first of its outputs alone.
inline std::string classifier_of(const TempDirectory& folder,
                                 const std::vector<std::string>& labels) {
  const auto path = edited_model(folder, "sequence_3_labels",
                                 [&](nlohmann::json& config) { set_labels(config, labels); });
  TensorMap tensors;
  {
    const auto checkpoint = Checkpoint::open(path);
    for (const auto& name : checkpoint.names()) {
      const auto tensor = checkpoint.tensor(name);
      const auto bytes = tensor.bytes();
      auto copy = Tensor::zeros(tensor.dtype(), tensor.shape());
      std::copy(bytes.begin(), bytes.end(), copy.mutable_bytes().begin());
      const auto rows = static_cast<std::int64_t>(labels.size());
      tensors[name] = name.starts_with("classifier.") ? copy.rows(0, rows) : copy;
    }
  }
  save_safetensors(std::filesystem::path(path) / "model.safetensors", tensors);
  return path;
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

/// softmax of `logits`, in the plainest way.
inline std::vector<double> plain_softmax(const std::vector<float>& logits) {
  std::vector<double> values;
  double sum = 0;
  for (const double logit : logits) values.push_back(std::exp(logit)), sum += values.back();
  for (auto& value : values) value /= sum;
  return values;
}

/// What is the same for every pipeline: `call` with texts of several batches tells its progress and
/// ends when told to, and gives the same, compared by `equal`, on several threads at once.
template <class Call, class Equal>
void expect_good_manners(const Call& call, const Equal& equal) {
  std::vector<std::int64_t> done;
  std::int64_t total = 0;
  const auto expected = call([&](const Progress& progress) {
    EXPECT_FALSE(progress.stage.empty());
    EXPECT_FALSE(progress.unit.empty());
    done.push_back(progress.done);
    total = progress.total;
    return true;
  });
  ASSERT_GT(done.size(), 1U) << "the test's texts must make several batches";
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_EQ(done.back(), total);

  int told = 0;
  EXPECT_THROW(static_cast<void>(call([&](const Progress&) {
                 ++told;
                 return false;
               })),
               Cancelled);
  EXPECT_EQ(told, 1);

  constexpr std::size_t count = 4;
  std::vector<char> same(count, 0);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i) {
      threads.emplace_back([&, i] { same[i] = equal(call({}), expected) ? 1 : 0; });
    }
  }
  EXPECT_THAT(same, ::testing::Each(1));
}

/// Texts of different lengths, enough for several small batches.
inline std::vector<std::string> several_texts() {
  return {"the dogs .", "a b c, the dog?", "Zebra é dogs", "a", "", "dog. cab's the b c d"};
}

}  // namespace cloze::testing
