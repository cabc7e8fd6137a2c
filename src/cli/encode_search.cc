#include "cli/encode_search.h"

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "cli/encode_sink.h"
#include "cli/format.h"
#include "cli/output_files.h"
#include "cloze/array_file.h"
#include "cloze/checkpoint.h"
#include "cloze/multi_vector_encoder.h"
#include "cloze/output.h"
#include "cloze/sparse_encoder.h"

namespace cloze::cli {
namespace {

/// Where sparse vectors go: the terminal, JSON lines, or a file of arrays.
class SparseSink {
 public:
  SparseSink(const SparseEncoder& model, const EncodeSettings& settings, bool json)
      : model_(model), settings_(settings), json_(json), path_(settings.output) {
    const auto end = path_.extension();
    if (end == ".npy") {
      dense_.emplace(path_, ArrayFile::Options{.name = "embedding", .columns = model.dimension()});
    } else if (end != ".safetensors") {
      out_.emplace(path_.empty() ? Output::standard_output() : Output::file(path_));
    }
  }

  void put(const std::vector<TextItem>& items, const SparseVectors& vectors) {
    for (std::size_t row = 0; row < vectors.rows(); ++row) {
      if (dense_) {
        put_dense(vectors, row);
      } else if (out_) {
        const bool lines = json_ || !path_.empty();
        out_->write(lines ? json_line(vectors, row) : readable(items[row], vectors, row));
      } else {
        keep(vectors, row);
      }
      ++texts_;
    }
  }

  void finish() {
    if (out_) return out_->finish();
    if (dense_) {
      dense_->finish();
    } else {
      save_arrays();
    }
    std::string text;
    const std::array shape{texts_, model_.dimension()};
    if (json_) {
      append_object(text, "output", path_.string(), "name", "embedding", "shape", shape, "texts",
                    texts_);
    } else {
      text = fmt::format("{}: {} [{}, {}] f32", path_.string(),
                         dense_ ? "embedding" : "embedding (indptr, indices, values)", shape[0],
                         shape[1]);
    }
    print_about(path_, text + '\n');
  }

 private:
  [[nodiscard]] std::string json_line(const SparseVectors& vectors, std::size_t row) const {
    std::string line;
    if (settings_.sparse_format == "tokens") {
      append_object(line, "tokens", [&] {
        line += '{';
        for (const auto& word : model_.decode(vectors, row)) {
          append_fields(line, word.token, word.weight);
        }
        line += '}';
      });
    } else {
      append_object(line, "shape", std::array{vectors.columns}, "indices", vectors.indices_of(row),
                    "values", vectors.values_of(row));
    }
    return line + '\n';
  }

  [[nodiscard]] std::string readable(const TextItem& item, const SparseVectors& vectors,
                                     std::size_t row) const {
    constexpr std::int64_t shown = 8;
    const auto width = terminal_width();
    auto text = shortened(item.pair ? item.text + " / " + *item.pair : item.text, width) + '\n';
    text +=
        fmt::format("  embedding [{}], {} words", vectors.columns, vectors.indices_of(row).size());
    for (const auto& word : model_.decode(vectors, row, shown)) {
      text += fmt::format("  {} {:.3f}", printable(word.token), word.weight);
    }
    return text + '\n';
  }

  void put_dense(const SparseVectors& vectors, std::size_t row) {
    values_.assign(static_cast<std::size_t>(vectors.columns), 0.0F);
    const auto indices = vectors.indices_of(row);
    const auto values = vectors.values_of(row);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      values_[static_cast<std::size_t>(indices[i])] = values[i];
    }
    dense_->append(values_);
  }

  void keep(const SparseVectors& vectors, std::size_t row) {
    const auto indices = vectors.indices_of(row);
    const auto values = vectors.values_of(row);
    kept_.indices.insert(kept_.indices.end(), indices.begin(), indices.end());
    kept_.values.insert(kept_.values.end(), values.begin(), values.end());
    kept_.row_ends.push_back(static_cast<std::int64_t>(kept_.indices.size()));
  }

  /// What scipy.sparse.csr_array takes.
  void save_arrays() const {
    const std::array shape{texts_, model_.dimension()};
    const auto size_of = [](const auto& values) {
      return Shape{static_cast<std::int64_t>(values.size())};
    };
    save_safetensors(
        path_, {{"indptr", Tensor::from<std::int64_t>(size_of(kept_.row_ends), kept_.row_ends)},
                {"indices", Tensor::from<std::int32_t>(size_of(kept_.indices), kept_.indices)},
                {"values", Tensor::from<float>(size_of(kept_.values), kept_.values)},
                {"shape", Tensor::from<std::int64_t>({2}, shape)}});
  }

  const SparseEncoder& model_;
  const EncodeSettings& settings_;
  bool json_;
  std::filesystem::path path_;
  std::optional<Output> out_;
  std::optional<ArrayFile> dense_;
  SparseVectors kept_;
  std::vector<float> values_;
  std::int64_t texts_ = 0;
};

}  // namespace

PieceOptions EncodeSettings::pieces(const TextCommand& command, TextLimits limits,
                                    std::int64_t batches) const {
  return {.label = "encoding",
          .bytes = command.piece_bytes(batches),
          .limits = std::move(limits),
          .bar = output.empty() ? beside_results() : ProgressOptions{}};
}

void encode_sparse(const TextCommand& command, const EncodeSettings& settings, TextReader& reader) {
  SparseEncoderOptions options{.pipeline = command.model.pipeline_options()};
  if (settings.pooling == "splade") options.splade = SpladeOptions{};
  if (settings.top_k > 0) options.max_active_dims = settings.top_k;
  const auto model = SparseEncoder::from_pretrained(command.model.root(), options);
  tell_warnings(model.warnings());
  const auto limits = command.text.limits(model.config().max_position_embeddings);
  SparseSink sink(model, settings, command.json);
  for_each_piece(reader, settings.pieces(command, limits, 16), [&](const Piece& piece) {
    SparseEncodeOptions encode{.max_length = piece.limits.max_length, .name = piece.limits.name};
    if (piece.limits.truncate) encode.truncate = true;
    settings.prompt.apply_to(encode);
    sink.put(piece.items,
             as_usage([&] { return model.encode(piece.items, encode, piece.progress); }));
  });
  sink.finish();
}

void encode_multi_vector(const TextCommand& command, const EncodeSettings& settings,
                         TextReader& reader) {
  const auto model =
      MultiVectorEncoder::from_pretrained(command.model.root(), command.model.pipeline_options());
  tell_warnings(model.warnings());
  const auto limits = command.text.limits(model.config().max_position_embeddings);
  const auto sink = encode_sink({.pooled = false,
                                 .columns = model.dimension(),
                                 .name = "token_embeddings",
                                 .tokenizer = model.tokenizer()},
                                settings.output, command.json);
  MultiVectorEncodeOptions encode{.role = as_usage([&] { return text_role_from(settings.role); })};
  settings.prompt.apply_to(encode);
  // About one batch at a time: every token's vector is kept until its turn.
  for_each_piece(reader, settings.pieces(command, limits, 1), [&](const Piece& piece) {
    encode.max_length = piece.limits.max_length;
    encode.name = piece.limits.name;
    const auto results =
        as_usage([&] { return model.encode(piece.items, encode, piece.progress); });
    for (std::size_t i = 0; i < results.size(); ++i) {
      sink->put({piece.items[i], results[i].ids, results[i].vectors.values<float>()});
    }
  });
  sink->finish();
}

}  // namespace cloze::cli
