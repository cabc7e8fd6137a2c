/// \file
/// What a model directory holds, read from its configuration, its tokenizer and the headers of its
/// checkpoint alone: no weight is touched.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cloze/config.h"
#include "cloze/progress.h"
#include "cloze/tokenizer.h"

#pragma GCC visibility push(default)
namespace cloze {

/// A head whose tensors the checkpoint has.
struct HeadInfo {
  std::string name;          ///< "masked language model", "next sentence", ...
  std::string architecture;  ///< transformers' class for it: "BertForMaskedLM"
  std::string pipeline;      ///< which answers with it: "fill-mask", "token-classification", ...
};

/// The tokenizer of a model directory.
struct TokenizerInfo {
  std::string file;     ///< which of its files it was read from
  std::string problem;  ///< why there is none; empty if there is one
  std::int64_t vocab_size = 0;
  bool do_lower_case = false;
  std::int64_t model_max_length = 0;      ///< 0 when not stated
  std::string tokenizer_class;            ///< as its files name it; empty when they do not
  std::string switches_file;              ///< which says whether case and accents are kept
  std::optional<JapaneseWords> japanese;  ///< of a BertJapaneseTokenizer
};

/// A setting that Cloze honours.
struct ModelSetting {
  std::string name;   ///< "pooling", "limit", "prompt query", "activation", ...
  std::string value;  ///< in words: "mean", "256 tokens"
  std::string file;   ///< which states it, relative to the directory; empty for a default
};

/// What `model_info` found.
struct ModelInfo {
  std::filesystem::path directory;
  BertConfig config;
  std::int64_t parameters = 0;  ///< elements of the model's tensors, tied ones counted once
  std::int64_t bytes = 0;       ///< of all tensors as stored
  std::map<std::string, std::int64_t> dtypes;  ///< tensors by stored dtype
  bool pooler = false;
  std::vector<HeadInfo> heads;
  TokenizerInfo tokenizer;
  std::string sentence_pooling;  ///< sentence-transformers' settings; empty without them
  /// What is done to texts, vectors and scores beyond the model itself, in the order in which it is
  /// done; empty for a plain encoder.
  std::vector<ModelSetting> settings;
  std::vector<std::string> warnings;  ///< what is stated and ignored, or probably wrong
};

/// Describes the model in a directory or of a name (see hub.h; `progress` is told of a download).
/// Throws IoError, FormatError and ModelError (not a BERT: no word embeddings, or embeddings that
/// disagree with the configuration).
[[nodiscard]] ModelInfo model_info(const std::string& directory_or_name,
                                   const ProgressCallback& progress = {});

}  // namespace cloze

#pragma GCC visibility pop
