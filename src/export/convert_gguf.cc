#include "export/convert_gguf.h"

#include <array>
#include <fstream>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "bert/stored_model.h"
#include "cloze/tokenizer.h"
#include "core/io/files.h"
#include "core/io/mapped_file.h"
#include "core/progress_counter.h"
#include "core/strings.h"
#include "export/destination.h"
#include "export/gguf_bert.h"
#include "sentence/write_modules.h"

namespace cloze::internal {

namespace fs = std::filesystem;

bool is_gguf_file(const fs::path& path) {
  if (!files::is_regular(path)) return false;
  std::array<char, 4> begin{};
  std::ifstream file(path, std::ios::binary);
  file.read(begin.data(), begin.size());
  return file && is_gguf({begin.data(), begin.size()});
}

ConvertedModel convert_gguf(const fs::path& file, const fs::path& destination,
                            const ConvertOptions& options, const ProgressCallback& progress) {
  require_elsewhere(destination, file);
  require_free(destination, options.overwrite);
  const auto mapped = MappedFile::open(file);
  auto bert =
      gguf_bert(parse_gguf(mapped->bytes(), excerpt_of_path(file)), options.lowercase, mapped);
  const auto tokenizer =
      bert.unigram ? Tokenizer::from_json(bert.unigram->tokenizer_json, bert.unigram->config_json)
                   : Tokenizer::from_vocabulary(bert.tokens, bert.tokenizer);

  StoredModel model{.config = std::move(bert.config)};
  ProgressCounter counter(progress, "converting", static_cast<std::int64_t>(bert.tensors.size()),
                          "tensors");
  ConvertedModel converted{.architecture = model.config.architectures.front(),
                           .tensors = static_cast<std::int64_t>(bert.tensors.size()),
                           .tokenizer = true,
                           .left_out = std::move(bert.left_out)};
  for (auto& [name, tensor] : bert.tensors) {
    if (options.dtype) tensor = tensor.to(*options.dtype);
    converted.bytes += static_cast<std::int64_t>(tensor.bytes().size());
    if (name.ends_with("word_embeddings.weight")) model.dtype = tensor.dtype();
    counter.advance();
  }
  model.tensors = std::move(bert.tensors);
  mapped->require_unchanged();
  write_whole(destination, options.overwrite, [&](const fs::path& made) {
    save(model, made, options.max_shard_bytes);
    tokenizer.save_pretrained(made);
    if (bert.pooling == Pooling::none) return;
    write_modules(made, {.hidden_size = model.config.hidden_size,
                         .pooling = bert.pooling,
                         .max_seq_length = model.config.max_position_embeddings,
                         .normalize = true});
  });
  return converted;
}

}  // namespace cloze::internal
