/// \file
/// Directories of sentence-transformers for tests: bare_odd (hidden 24) with settings around it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/checkpoint.h"
#include "cloze/tensor.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"

namespace cloze::testing {

/// A model directory that is written file by file.
class SentenceModel {
 public:
  /// A copy of a golden model with these modules after its Transformer, such as "1_Pooling",
  /// "2_Dense": the class is what follows the underscore. Poolings take the mean.
  explicit SentenceModel(const std::vector<std::string>& modules = {"1_Pooling"},
                         std::string_view golden = "bare_odd") {
    std::filesystem::copy(golden_directory(golden), folder_ / "m");
    auto list = nlohmann::json::array({module("Transformer", "")});
    for (const auto& path : modules) {
      list.push_back(module(path.substr(path.find('_') + 1), path));
      std::filesystem::create_directory(root() / path);
      if (path.ends_with("Pooling")) write(path + "/config.json", R"({"pooling_mode": "mean"})");
    }
    write("modules.json", list.dump());
  }

  [[nodiscard]] std::filesystem::path root() const { return folder_ / "m"; }
  [[nodiscard]] std::string path() const { return root().string(); }

  void write(std::string_view name, std::string_view content) const {
    write_file(root() / name, content);
  }

  /// The weights and settings of a Dense module; `fields` are further ones, with a comma at the end.
  void write_dense(const std::string& module, std::int64_t in, std::int64_t out,
                   std::string_view fields = "") const {
    write(module + "/config.json",
          fmt::format(R"({{{} "in_features": {}, "out_features": {}}})", fields, in, out));
    save_safetensors(root() / module / "model.safetensors",
                     {{"linear.weight", numbers({out, in}, 37)},
                      {"linear.bias", numbers({out}, 11)},
                      {"residual.weight", numbers({out, in}, 29)}});
  }

  /// Numbers that are different enough.
  [[nodiscard]] static Tensor numbers(const Shape& shape, std::size_t step) {
    auto tensor = Tensor::zeros(DType::f32, shape);
    const auto values = tensor.mutable_values<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = (static_cast<float>((i * step + step) % 23) - 11.0F) / 12.0F;
    }
    return tensor;
  }

 private:
  static nlohmann::json module(const std::string& name, const std::string& path) {
    return {{"idx", 0},
            {"name", path},
            {"path", path},
            {"type", "sentence_transformers.models." + name}};
  }

  TempDirectory folder_;
};

}  // namespace cloze::testing
