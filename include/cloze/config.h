/// \file
/// `config.json`: the description of a BERT, with the names and defaults of transformers'
/// BertConfig.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)
namespace cloze {

/// The non-linearity of the feed-forward layer (`hidden_act`).
enum class Activation : std::uint8_t {
  gelu,       ///< "gelu", "gelu_python": x·Φ(x) by erf, the Hugging Face default
  gelu_tanh,  ///< "gelu_new", "gelu_pytorch_tanh", ...: the tanh approximation, Google's releases
  relu,       ///< "relu"
  silu,       ///< "silu", "swish"
};

/// The name that transformers writes: "gelu", "gelu_new", "relu", "silu".
[[nodiscard]] std::string_view name_of(Activation activation);

/// The fields of `config.json`; what is not stated there has the value given here.
struct BertConfig {
  std::int64_t vocab_size = 30522;
  std::int64_t hidden_size = 768;
  /// ELECTRA's, whose embeddings are projected to the hidden size; 0: as wide as that.
  std::int64_t embedding_size = 0;
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t intermediate_size = 3072;
  Activation hidden_act = Activation::gelu;
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  std::int64_t max_position_embeddings = 512;
  std::int64_t type_vocab_size = 2;
  double initializer_range = 0.02;
  double layer_norm_eps = 1e-12;
  std::int64_t pad_token_id = 0;  ///< -1 for none (`null` in the file)
  bool tie_word_embeddings = true;
  std::optional<double> classifier_dropout{};
  std::string problem_type{};                ///< "", or transformers' name for a classifier's loss
  std::vector<std::string> architectures{};  ///< e.g. {"BertForMaskedLM"}
  std::vector<std::string> id2label{};  ///< label of each output of a head; empty if not stated
  /// What was read: "bert"; "distilbert", which is a BERT without segment embeddings and pooler
  /// whose fields have other names; "electra"; or "dpr", a BERT whose first token's hidden state is
  /// its result. Written as "electra" or "bert", the names that Cloze saves trained weights under.
  std::string model_type = "bert";
  /// DPR's: outputs of the linear layer on the first token's hidden state; 0: there is none.
  std::int64_t projection_dim = 0;
  /// Every field of the file that this struct does not name, as a JSON object: kept so that saving
  /// loses nothing (but an integer beyond 64 bits becomes a floating-point number).
  std::string extra_json = "{}";

  [[nodiscard]] std::int64_t head_dim() const { return hidden_size / num_attention_heads; }
  /// Columns of the embeddings: `embedding_size`, or `hidden_size`.
  [[nodiscard]] std::int64_t embedding_width() const {
    return embedding_size > 0 ? embedding_size : hidden_size;
  }
  /// Outputs of a task head: the number of labels, 2 when none are stated (transformers' default).
  [[nodiscard]] std::int64_t num_labels() const {
    return id2label.empty() ? 2 : static_cast<std::int64_t>(id2label.size());
  }

  /// Reads `config.json` in a directory, or Google's `bert_config.json` where that is absent:
  /// beside a TensorFlow checkpoint its "gelu" is what google-research/bert computes, `gelu_tanh`.
  /// `directory_or_name` is a directory, or the name of a model as `find_model` takes it (hub.h).
  /// Throws IoError, FormatError (not JSON, wrong type of a field: which), ModelError (a model that
  /// is none of BERT, DistilBERT, ELECTRA and DPR's encoders or a kind of them that Cloze does not
  /// compute, sizes that make no model: which, and why).
  [[nodiscard]] static BertConfig from_pretrained(const std::filesystem::path& directory_or_name);

  /// The same from JSON text; `origin` names it in errors. Labels are read from `id2label`, from
  /// `label2id` where there is none, or made up (LABEL_0, ...) from a lone `num_labels`.
  [[nodiscard]] static BertConfig from_json(std::string_view json, const std::string& origin);

  /// JSON as transformers writes it for `model_type` "electra", else for "bert": two-space indent,
  /// sorted keys, a final newline. An activation that has several names is written as "gelu",
  /// "gelu_new", "relu" or "silu"; `label2id` is the inverse of `id2label`. Throws as validate
  /// does.
  [[nodiscard]] std::string to_json() const;

  /// Checks that the sizes make a model: positive, of a credible order, heads dividing the hidden
  /// size, probabilities within [0, 1]. Throws ModelError, which `origin` begins.
  void validate(const std::string& origin = "this BertConfig") const;

  /// Writes `config.json` in `directory` (made if need be). Throws IoError, and as to_json does.
  void save_pretrained(const std::filesystem::path& directory) const;
};

}  // namespace cloze

#pragma GCC visibility pop
