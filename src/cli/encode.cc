/// \file
/// cloze encode: text to vectors.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/encode_sink.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cloze/bert.h"
#include "cloze/tokenizer.h"
#include "datasets/batching.h"
#include "sentence/embedder.h"
#include "sentence/settings.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Without --pooling a sentence-transformers directory is followed in all it says (pooling, normalizing,
longest text); any other model gives the vectors of all tokens, last_hidden_state.

An .npy file holds [texts, hidden], or with --pooling none the tokens of all texts one after another
[tokens, hidden]; a .safetensors file then also tells where each text begins (cu_seqlens).

Examples:
  cloze encode --model all-MiniLM-L6-v2 "Hello, my dog is cute"
  cloze encode --model all-MiniLM-L6-v2 --pooling none --json "Hello, my dog is cute"
  cloze encode --model all-MiniLM-L6-v2 --truncate --input lines.txt --output vectors.npy
  cloze encode --model ./bert --pooling mean --layers=-1,-2,-3,-4 --normalize -i lines.txt -o v.safetensors
)";

struct Options {
  ModelOptions model;
  TextOptions text;
  std::string pooling;
  bool normalize = false;
  std::vector<std::int64_t> layers{-1};
  std::string output;
  bool json = false;
};

void add_options(CLI::App& app, Options& options) {
  options.model.add_model(app);
  options.text.add_texts(app, "texts; a tab parts a text from its pair");
  options.text.add_single(app);
  options.text.add_limit(app);
  app.add_option("--pooling", options.pooling,
                 "none (a vector a token), cls, mean, max, pooler, mean_sqrt_len, "
                 "weighted_mean or last_token")
      ->type_name("NAME");
  app.add_flag("--normalize", options.normalize, "scale every vector to length 1");
  app.add_option("--layers", options.layers,
                 "hidden states to take, by transformers' index: 0 the embeddings, -1 the last "
                 "layer; several are concatenated")
      ->type_name("I,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->default_str("-1");
  app.add_option("--output,-o", options.output, "write to FILE: .npy, .safetensors or .jsonl")
      ->type_name("FILE");
  app.add_flag("--json", options.json, "a JSON object a line");
  options.model.add_computation(app);
  app.footer(examples);
}

/// The directory's own way to sentence vectors, where the options leave it to the directory.
std::optional<SentenceSettings> defaults(const Options& options,
                                         const std::filesystem::path& directory) {
  if (!options.pooling.empty()) return std::nullopt;
  return sentence_settings(directory);
}

EmbedOptions embed_options(const Options& options,
                           const std::optional<SentenceSettings>& settings) {
  EmbedOptions embed;
  embed.normalize = options.normalize;
  embed.layers = options.layers;
  embed.batch_tokens = options.model.batch_tokens;
  if (!options.pooling.empty()) {
    embed.pooling = as_usage([&] { return pooling_from(options.pooling); });
  } else if (settings) {
    embed.pooling = settings->pooling;
    embed.normalize = embed.normalize || settings->normalize;
    for (const auto& dense : settings->dense) {
      embed.dense.push_back(Dense::from_pretrained(dense));
    }
  }
  return embed;
}

std::unique_ptr<EncodeSink> make_sink(const Options& options, const Embedder& embedder,
                                      const Tokenizer& tokenizer) {
  const bool pooled = embedder.options().pooling != Pooling::none;
  const bool last = options.layers == std::vector<std::int64_t>{-1};
  EncodeShape shape{.pooled = pooled, .columns = embedder.columns(), .name = "embedding"};
  if (!pooled) shape.name = last ? "last_hidden_state" : "hidden_states";
  if (!options.output.empty()) return file_sink(shape, tokenizer, options.output, options.json);
  if (options.json) return json_sink(shape, tokenizer, {});
  return terminal_sink(shape, tokenizer);
}

/// Encodes `items` and hands them to the sink in their order.
void encode(const Embedder& embedder, const std::vector<TextItem>& items,
            const std::vector<TokenizedText>& texts, EncodeSink& sink, ProgressBar& progress) {
  const auto on_batch = [&](std::span<const std::size_t> indices) {
    std::size_t bytes = 0;
    for (const auto i : indices) {
      bytes += items[i].text.size() + (items[i].pair ? items[i].pair->size() + 1 : 0) + 1;
    }
    progress.advance(static_cast<std::int64_t>(bytes));
  };
  if (embedder.options().pooling == Pooling::none) {
    const auto states = embedder.embed_tokens(texts, on_batch);
    for (std::size_t i = 0; i < items.size(); ++i) {
      sink.put({items[i], texts[i], states[i].values<float>()});
    }
    return;
  }
  const auto vectors = embedder.embed(texts, on_batch);
  const auto width = static_cast<std::size_t>(embedder.columns());
  for (std::size_t i = 0; i < items.size(); ++i) {
    sink.put({items[i], texts[i], vectors.values<float>().subspan(i * width, width)});
  }
}

/// Bytes of text to hold at once: about one batch where every token's vector is kept until its
/// turn, many batches (so that sorting by length pays) where a text leaves but one vector.
std::int64_t piece_bytes(const EmbedOptions& options) {
  constexpr std::int64_t bytes_a_token = 4;
  constexpr std::int64_t batches = 16;
  return options.batch_tokens * bytes_a_token * (options.pooling == Pooling::none ? 1 : batches);
}

}  // namespace

void run_encode(Arguments arguments) {
  CLI::App app("Encodes texts: a vector for every token, or one for every text.", "cloze encode");
  Options options;
  add_options(app, options);
  if (!parse(app, arguments)) return;
  if (!options.output.empty()) as_usage([&] { require_known_format(options.output); });

  const auto load = options.model.load_options();
  auto reader = options.text.reader();
  const auto directory = options.model.directory();
  const auto settings = defaults(options, options.model.root());
  const auto embed = embed_options(options, settings);
  const auto tokenizer = Tokenizer::from_pretrained(directory);
  auto model = BertModel::from_pretrained(directory, load);
  require_same_vocabulary(tokenizer, model.config());
  auto model_limit = model.config().max_position_embeddings;
  if (settings && settings->max_seq_length && options.text.max_length == 0) {
    model_limit = std::min(model_limit, *settings->max_seq_length);
  }
  auto limit = options.text.limit(model_limit);
  // sentence-transformers cuts texts at the length that it states.
  if (settings && settings->max_seq_length) limit.truncate = true;
  const Embedder embedder = as_usage([&] { return Embedder(std::move(model), embed); });

  const auto sink = make_sink(options, embedder, tokenizer);
  {
    ProgressBar progress("encoding", reader.total_bytes(), "bytes",
                         options.output.empty() ? beside_results() : ProgressOptions{});
    const auto bytes = piece_bytes(embed);
    while (true) {
      const auto items = reader.next_items(bytes);
      if (items.empty()) break;
      encode(embedder, items, tokenize(tokenizer, items, limit, reader), *sink, progress);
    }
  }
  sink->finish();
}

}  // namespace cloze::cli
