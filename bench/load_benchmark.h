/// \file
/// How long a model takes to be there: opened, loaded, and its first text encoded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "cloze/bert.h"

namespace cloze {

struct LoadBenchmark {
  std::int64_t bytes = 0;  ///< of the checkpoint's tensors
  std::int64_t rounds = 0;
  // Medians in milliseconds.
  double open_ms = 0;   ///< every header read and checked, and the first numbers of each tensor
  double load_ms = 0;   ///< BertModel::from_pretrained: the weights packed for the products
  double first_ms = 0;  ///< the first call, of one text of 16 tokens
  double copy_ms = 0;   ///< the tensors' bytes copied to new memory by all threads

  /// From nothing to the first vector.
  [[nodiscard]] double ready_ms() const { return load_ms + first_ms; }
  [[nodiscard]] double fraction_of_memory() const { return copy_ms / load_ms; }
};

/// Loads the model in `directory` `rounds` times (at least once), after one that brings the files
/// into the system's cache. Throws as BertModel::from_pretrained does.
[[nodiscard]] LoadBenchmark benchmark_load(const std::filesystem::path& directory,
                                           std::int64_t rounds, const LoadOptions& options = {});

}  // namespace cloze
