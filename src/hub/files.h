/// \file
/// Which of a model's files Cloze reads.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace cloze::hub {

/// The content of a file of the model.
using ReadFile = std::function<std::string(const std::string& name)>;

/// Of the files in `listing`: `config.json`, the tokenizer's files, the weights in the first of
/// these formats: `model.safetensors`, its shards with their index, `pytorch_model.bin`, its
/// shards, a TensorFlow checkpoint; of sentence-transformers `modules.json` and what it names.
/// `read` is called for the small files that name others. `origin` begins messages. Throws
/// ModelError for a model that has no weights that Cloze reads, or lacks a file that another names.
[[nodiscard]] std::vector<std::string> choose_files(const std::vector<std::string>& listing,
                                                    const ReadFile& read,
                                                    const std::string& origin);

}  // namespace cloze::hub
