#include "export/gguf_unigram.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/io/base64.h"
#include "core/strings.h"
#include "core/utf8.h"

namespace cloze::internal {
namespace {

using Json = nlohmann::ordered_json;

/// SentencePiece's types of pieces.
constexpr double kUserDefined = 4, kUnused = 5;

struct Pieces {
  std::vector<std::string> tokens;
  std::vector<double> scores, types;
};

Pieces read_pieces(const GgufFile& file) {
  Pieces pieces{file.at<std::vector<std::string>>("tokenizer.ggml.tokens"),
                file.at<std::vector<double>>("tokenizer.ggml.scores"),
                file.at<std::vector<double>>("tokenizer.ggml.token_type")};
  const auto count = pieces.tokens.size();
  if (count == 0 || pieces.scores.size() != count || pieces.types.size() != count) {
    throw FormatError(fmt::format("{}: the tokenizer has {} tokens, {} scores and {} types of them",
                                  file.origin, count, pieces.scores.size(), pieces.types.size()));
  }
  double least = 0;
  for (std::size_t id = 0; id < count; ++id) {
    if (utf8::valid_prefix(pieces.tokens[id]) != pieces.tokens[id].size() ||
        !std::isfinite(pieces.scores[id])) {
      throw FormatError(fmt::format("{}: token {} is {} with the score {}; the file is damaged",
                                    file.origin, id, in_quotes(pieces.tokens[id]),
                                    pieces.scores[id]));
    }
    if (pieces.types[id] != kUnused) least = std::min(least, pieces.scores[id]);
  }
  // Rows of the model without a piece have a score far below, which would make what is in no piece
  // less likely than it is.
  for (std::size_t id = 0; id < count; ++id) {
    if (pieces.types[id] == kUnused) pieces.scores[id] = least;
  }
  return pieces;
}

/// The token that a key names by its id.
std::optional<std::size_t> special_id(const GgufFile& file, const char* name, std::size_t count) {
  const auto key = fmt::format("tokenizer.ggml.{}_token_id", name);
  const auto id = file.find<std::int64_t>(key);
  if (!id) return std::nullopt;
  if (*id < 0 || static_cast<std::size_t>(*id) >= count) {
    throw FormatError(
        fmt::format("{}: \"{}\" is {}, and there are {} tokens", file.origin, key, *id, count));
  }
  return static_cast<std::size_t>(*id);
}

Json character_map(const GgufFile& file) {
  const auto numbers = file.find<std::vector<double>>("tokenizer.ggml.precompiled_charsmap");
  if (!numbers || numbers->empty()) return {};
  std::vector<std::byte> bytes;
  bytes.reserve(numbers->size());
  for (const double number : *numbers) {
    // As signed bytes they are negative.
    if (number < -128 || number > 255 || number != std::floor(number)) {
      throw FormatError(
          fmt::format("{}: \"tokenizer.ggml.precompiled_charsmap\" has {}, which is no byte",
                      file.origin, number));
    }
    bytes.push_back(static_cast<std::byte>(static_cast<int>(number) & 0xFF));
  }
  return {{"type", "Precompiled"}, {"precompiled_charsmap", base64_encoded(bytes)}};
}

}  // namespace

TokenizerTexts gguf_unigram(const GgufFile& file, std::int64_t model_max_length) {
  auto pieces = read_pieces(file);
  auto count = pieces.tokens.size();
  const auto mask = special_id(file, "mask", count);
  if (mask && pieces.types[*mask] == kUnused) pieces.tokens[*mask] = "<mask>";
  // The last rows of a model often have no piece, and no text may become one.
  while (count > 1 && pieces.types[count - 1] == kUnused && mask != count - 1) --count;
  Json config{
      {"tokenizer_class", "XLMRobertaTokenizer"},
      {"model_max_length", model_max_length},
      {"add_prefix_space", file.find<bool>("tokenizer.ggml.add_space_prefix").value_or(true)}};
  constexpr std::array<std::pair<const char*, const char*>, 7> kSpecial{
      {{"bos", "bos_token"},
       {"eos", "eos_token"},
       {"unknown", "unk_token"},
       {"padding", "pad_token"},
       {"mask", "mask_token"},
       {"cls", "cls_token"},
       {"seperator", "sep_token"}}};
  for (const auto& [theirs, ours] : kSpecial) {
    if (const auto id = special_id(file, theirs, count)) config[ours] = pieces.tokens[*id];
  }
  if (const auto id = special_id(file, "separator", count))
    config["sep_token"] = pieces.tokens[*id];
  // XLM-RoBERTa's own are bos and eos.
  if (!config.contains("cls_token") && config.contains("bos_token"))
    config["cls_token"] = config["bos_token"];
  if (!config.contains("sep_token") && config.contains("eos_token"))
    config["sep_token"] = config["eos_token"];

  Json vocab = Json::array(), added = Json::array();
  for (std::size_t id = 0; id < count; ++id) {
    vocab.push_back({pieces.tokens[id], pieces.scores[id]});
    if (pieces.types[id] == kUserDefined) {
      added.push_back(
          {{"id", id}, {"content", pieces.tokens[id]}, {"special", false}, {"normalized", false}});
    }
  }
  Json json{
      {"version", "1.0"}, {"added_tokens", std::move(added)}, {"normalizer", character_map(file)}};
  json["model"] = {{"type", "Unigram"}, {"unk_id", special_id(file, "unknown", count).value_or(3)}};
  json["model"]["vocab"] = std::move(vocab);
  return {json.dump(), config.dump(), static_cast<std::int64_t>(count)};
}

}  // namespace cloze::internal
