/// \file
/// Where `cloze encode` puts its vectors: the terminal, JSON lines, or an array file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

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
  std::string name;  ///< "embedding", "last_hidden_state", "hidden_states"
};

class EncodeSink {
 public:
  EncodeSink() = default;
  EncodeSink(const EncodeSink&) = delete;
  EncodeSink& operator=(const EncodeSink&) = delete;
  virtual ~EncodeSink() = default;

  virtual void put(const Encoded& encoded) = 0;
  virtual void finish() = 0;
};

/// Shape and first values of each text, for people.
[[nodiscard]] std::unique_ptr<EncodeSink> terminal_sink(const EncodeShape& shape,
                                                        const Tokenizer& tokenizer);

/// A JSON object a text, to `file` or, if it is empty, standard output.
[[nodiscard]] std::unique_ptr<EncodeSink> json_sink(const EncodeShape& shape,
                                                    const Tokenizer& tokenizer,
                                                    const std::filesystem::path& file);

/// The format that the name's ending chooses: .npy, .safetensors, .jsonl. What was written is told
/// on standard output, as JSON on request. Throws ArgumentError for another ending.
[[nodiscard]] std::unique_ptr<EncodeSink> file_sink(const EncodeShape& shape,
                                                    const Tokenizer& tokenizer,
                                                    const std::filesystem::path& file, bool json);

/// Throws ArgumentError when `file_sink` knows no format for this name.
void require_known_format(const std::filesystem::path& file);

}  // namespace cloze::cli
