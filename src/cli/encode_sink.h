/// \file
/// Where `cloze encode` puts its vectors: the terminal, JSON lines, or an array file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "cloze/text_reader.h"
#include "cloze/tokenizer.h"

namespace cloze::cli {

/// One text with its vectors.
struct Encoded {
  const TextItem& item;
  std::span<const std::int32_t> ids;  ///< its tokens; empty where the text has one vector
  std::span<const float> values;      ///< [rows, columns]: a row a token, or one for the text
};

/// What is the same for all texts of a run.
struct EncodeShape {
  bool pooled = false;
  std::int64_t columns = 0;
  std::string name;     ///< "embedding", "last_hidden_state", "hidden_states"
  Tokenizer tokenizer;  ///< names the tokens
};

class EncodeSink {
 public:
  explicit EncodeSink(EncodeShape shape) : shape_(std::move(shape)) {}
  EncodeSink(const EncodeSink&) = delete;
  EncodeSink& operator=(const EncodeSink&) = delete;
  virtual ~EncodeSink() = default;

  virtual void put(const Encoded& encoded) = 0;
  virtual void finish() = 0;

 protected:
  EncodeShape shape_;
};

/// A sink for the format that the name of `file` ends in, .npy, .safetensors or .jsonl; without a
/// file, for standard output: JSON lines, or shapes and first values for people. What was written
/// to a file is told on standard output, as JSON on request.
[[nodiscard]] std::unique_ptr<EncodeSink> encode_sink(EncodeShape shape,
                                                      const std::filesystem::path& file, bool json);

/// Throws ArgumentError for a file that is none of these formats.
void require_known_format(const std::filesystem::path& file);

}  // namespace cloze::cli
