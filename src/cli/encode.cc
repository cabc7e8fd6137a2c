/// \file
/// cloze encode: text to vectors.
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/encode_search.h"
#include "cli/encode_sink.h"
#include "cli/output_files.h"
#include "cli/text_command.h"
#include "cloze/feature_extraction.h"
#include "cloze/sentence_settings.h"
#include "cloze/sentence_transformer.h"

namespace cloze::cli {
namespace {

constexpr std::int64_t most_layers = 1000;

constexpr const char* examples = R"(
Without --pooling a sentence-transformers directory is followed in all it says (prompts, pooling, layers,
normalizing, dimensions, longest text); any other model gives the vectors of all tokens, last_hidden_state.
With --pooling, of what it says prompts and lower-casing remain; with none, nothing.

A SparseEncoder (or --pooling splade with a masked language model) gives the weights of words: as JSON the
ids and weights over 0, or {"tokens":{TOKEN:WEIGHT,...}} with --sparse-format tokens, the greatest first; a
.safetensors file holds them as scipy's csr_array has them (indptr, indices, values, shape), an .npy file all
values. A MultiVectorEncoder or ColBERT gives the vectors of a text's tokens that count when it is compared, as
a document or --role query.

An .npy file holds [texts, hidden], or with --pooling none the tokens of all texts one after another
[tokens, hidden]; a .safetensors file then also tells where each text begins (cu_seqlens).

Examples:
  cloze encode --model all-MiniLM-L6-v2 "Hello, my dog is cute"
  cloze encode --model mxbai-embed-large-v1 --prompt-name query --dimensions 512 "who wrote Frankenstein"
  cloze encode --model all-MiniLM-L6-v2 --pooling none --json "Hello, my dog is cute"
  cloze encode --model splade --json --sparse-format tokens --top-k 64 "who wrote Frankenstein"
  cloze encode --model colbertv2.0 --role query --json "who wrote Frankenstein"
  cloze encode --model all-MiniLM-L6-v2 --truncate --input lines.txt --output vectors.npy
  cloze encode --model ./bert --pooling mean --layers=-1,-2,-3,-4 --normalize -i lines.txt -o v.safetensors
)";

using Options = EncodeSettings;

/// The vectors of all tokens.
void encode_tokens(const TextCommand& command, const Options& options, TextReader& reader) {
  const auto extract = command.load<FeatureExtractionPipeline>();
  FeatureExtractionOptions features{.layers = options.layers, .normalize = options.normalize};
  const bool last = options.layers == std::vector<std::int64_t>{-1};
  const auto columns = as_usage([&] { return extract.columns(features); });
  const auto limits = command.text.limits(extract.max_length());
  const auto sink = encode_sink({.pooled = false,
                                 .columns = columns,
                                 .name = last ? "last_hidden_state" : "hidden_states",
                                 .tokenizer = extract.tokenizer()},
                                options.output, command.json);
  // About one batch at a time: every token's vector is kept until its turn.
  for_each_piece(reader, options.pieces(command, limits, 1), [&](const Piece& piece) {
    features.limits = piece.limits;
    const auto results = extract(piece.items, features, piece.progress);
    for (std::size_t i = 0; i < results.size(); ++i) {
      sink->put({piece.items[i], results[i].ids, results[i].vectors.values<float>()});
    }
  });
  sink->finish();
}

/// A vector for each text.
void encode_texts(const TextCommand& command, const Options& options,
                  const std::optional<Pooling>& pooling, TextReader& reader) {
  SentenceTransformerOptions sentence{
      .pipeline = command.model.pipeline_options(), .pooling = pooling, .layers = options.layers};
  if (options.normalize) sentence.normalize = true;
  if (options.dimensions > 0) sentence.truncate_dim = options.dimensions;
  const auto root = command.model.root();
  const auto model = as_usage([&] { return SentenceTransformer::from_pretrained(root, sentence); });
  tell_warnings(model.warnings());
  const auto limits = command.text.limits(model.config().max_position_embeddings);
  const auto sink = encode_sink({.pooled = true,
                                 .columns = model.dimension(),
                                 .name = "embedding",
                                 .tokenizer = model.tokenizer()},
                                options.output, command.json);
  for_each_piece(reader, options.pieces(command, limits, 16), [&](const Piece& piece) {
    const auto vectors = as_usage([&] {
      return model.encode(piece.items, sentence_options(piece.limits, options.prompt),
                          piece.progress);
    });
    const auto columns = static_cast<std::size_t>(vectors.dim(1));
    for (std::size_t i = 0; i < piece.items.size(); ++i) {
      sink->put({piece.items[i], {}, vectors.values<float>().subspan(i * columns, columns)});
    }
  });
  sink->finish();
}

/// What kind of vectors is wanted.
VectorKind kind_of(const Options& options, const std::filesystem::path& root) {
  if (options.pooling == "splade") return VectorKind::sparse;
  if (options.pooling == "none") return VectorKind::tokens;
  return options.pooling.empty() ? vector_kind(root) : VectorKind::sentence;
}

/// Throws UsageError for options that have no part in vectors of this kind.
void require_fitting(const CLI::App& app, VectorKind kind) {
  const auto refuse = [&](std::initializer_list<const char*> options, const char* why) {
    for (const auto* option : options) {
      if (app.count(option) > 0) throw UsageError(fmt::format("{} goes with {}", option, why));
    }
  };
  if (kind != VectorKind::sparse) {
    refuse({"--top-k", "--sparse-format"}, "weights of words (a SparseEncoder, --pooling splade)");
  }
  if (kind != VectorKind::multi_vector) {
    refuse({"--role"}, "a model that compares token by token (ColBERT, MultiVectorEncoder)");
  }
  if (kind == VectorKind::sparse || kind == VectorKind::multi_vector) {
    refuse({"--normalize", "--layers", "--dimensions"},
           "a vector for each text, or all of its tokens: choose a pooling");
  }
}

}  // namespace

void run_encode(Arguments arguments) {
  TextCommand command("Encodes texts: a vector for every token, or one for every text.",
                      "cloze encode");
  auto& app = command.app;
  Options options;
  command.text.add_texts(app, "texts; a tab parts a text from its pair");
  command.text.add_single(app);
  command.text.add_limit(app);
  app.add_option("--pooling", options.pooling,
                 "none (a vector a token), cls, mean, max, pooler, mean_sqrt_len, "
                 "weighted_mean, last_token or splade (weights of words)")
      ->type_name("NAME");
  app.add_flag("--normalize", options.normalize, "scale every vector to length 1");
  add_counts(app, "--layers", options.layers,
             "hidden states to take, by transformers' index: 0 the embeddings, -1 the last "
             "layer; several are concatenated",
             -most_layers, most_layers)
      ->type_name("I,...")
      ->default_str("-1");
  options.prompt.add(app, "--prompt", "each text");
  add_count(app, "--dimensions", options.dimensions,
            "keep the first N values of a text's vector (Matryoshka models)", 1, 1 << 20);
  add_count(app, "--top-k", options.top_k, "of weights of words: keep the N greatest", 1, 1 << 30);
  app.add_option("--sparse-format", options.sparse_format,
                 "of weights of words as JSON: ids or tokens")
      ->type_name("NAME")
      ->check(CLI::IsMember({"ids", "tokens"}))
      ->capture_default_str();
  app.add_option("--role", options.role,
                 "of texts that are compared token by token: document or query")
      ->type_name("NAME")
      ->check(CLI::IsMember({"document", "query"}))
      ->capture_default_str();
  app.add_option("--output,-o", options.output, "write to FILE: .npy, .safetensors or .jsonl")
      ->type_name("FILE");
  if (!command.parse(examples, arguments)) return;
  if (!options.output.empty()) as_usage([&] { require_known_format(options.output); });

  static_cast<void>(command.model.load_options());  // what it refuses comes before the texts
  auto reader = command.text.reader();
  require_output_apart(options.output, command.text.input_files(), &command.model);
  const auto kind = kind_of(options, command.model.root());
  require_fitting(app, kind);
  if (kind == VectorKind::sparse) return encode_sparse(command, options, reader);
  if (kind == VectorKind::multi_vector) return encode_multi_vector(command, options, reader);
  std::optional<Pooling> pooling;
  if (!options.pooling.empty()) pooling = as_usage([&] { return pooling_from(options.pooling); });
  const bool of_tokens = kind == VectorKind::tokens;
  if (of_tokens && (options.prompt.prompt || options.prompt.prompt_name)) {
    throw UsageError("a prompt goes with a vector for each text: choose a pooling other than none");
  }
  if (of_tokens && options.dimensions > 0) {
    throw UsageError("--dimensions goes with a vector for each text: choose a pooling");
  }
  if (of_tokens) {
    encode_tokens(command, options, reader);
  } else {
    encode_texts(command, options, pooling, reader);
  }
}

}  // namespace cloze::cli
