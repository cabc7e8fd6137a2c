#include "export/gguf_bert.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/numbers.h"
#include "core/strings.h"
#include "core/utf8.h"

namespace cloze::internal {
namespace {

constexpr std::string_view kWordBegin = "\u2581";

/// llama.cpp's `pooling_type`.
enum class PoolingType : std::int64_t { none = 0, mean = 1, cls = 2, last = 3, rank = 4 };

/// Parts of names, ours for theirs.
using Names = std::pair<std::string_view, std::string_view>;
constexpr std::array<Names, 4> kEmbeddings{{
    {"token_embd", "embeddings.word_embeddings"},
    {"position_embd", "embeddings.position_embeddings"},
    {"token_types", "embeddings.token_type_embeddings"},
    {"token_embd_norm", "embeddings.LayerNorm"},
}};
constexpr std::array<Names, 8> kLayer{{
    {"attn_q", "attention.self.query"},
    {"attn_k", "attention.self.key"},
    {"attn_v", "attention.self.value"},
    {"attn_output", "attention.output.dense"},
    {"attn_output_norm", "attention.output.LayerNorm"},
    {"ffn_up", "intermediate.dense"},
    {"ffn_down", "output.dense"},
    {"layer_output_norm", "output.LayerNorm"},
}};

std::optional<std::string_view> find(std::span<const Names> names, std::string_view theirs) {
  const auto at = std::find_if(names.begin(), names.end(),
                               [&](const Names& name) { return name.first == theirs; });
  return at == names.end() ? std::nullopt : std::optional(at->second);
}

/// transformers' name for a tensor, without the model's prefix; empty where it has none.
std::string name_of_tensor(std::string_view theirs) {
  const auto dot = theirs.rfind('.');
  if (dot == std::string_view::npos) return "";
  const auto stem = theirs.substr(0, dot), kind = theirs.substr(dot);
  if (kind != ".weight" && kind != ".bias") return "";
  if (const auto ours = find(kEmbeddings, stem)) return fmt::format("{}{}", *ours, kind);
  constexpr std::string_view block = "blk.";
  if (!stem.starts_with(block)) return "";
  const auto rest = stem.substr(block.size());
  const auto end = rest.find('.');
  if (end == std::string_view::npos || !whole_number<std::size_t>(rest.substr(0, end))) return "";
  const auto ours = find(kLayer, rest.substr(end + 1));
  return ours ? fmt::format("encoder.layer.{}.{}{}", rest.substr(0, end), *ours, kind) : "";
}

bool is_bracketed(std::string_view token) { return token.starts_with('[') && token.ends_with(']'); }

class Reader {
 public:
  Reader(const GgufFile& file, std::shared_ptr<const void> owner)
      : file_(file), owner_(std::move(owner)) {}

  GgufBert read(std::optional<bool> lowercase) {
    const auto architecture = file_.at<std::string>("general.architecture");
    if (architecture != "bert") {
      throw ModelError(
          fmt::format("{}: the architecture is {}, not \"bert\": Cloze computes BERT "
                      "alone",
                      file_.origin, in_quotes(architecture)));
    }
    if (file_.find<bool>("bert.attention.causal").value_or(false)) {
      throw ModelError(
          fmt::format("{}: \"bert.attention.causal\" is true: a BERT attends to both "
                      "sides",
                      file_.origin));
    }
    read_tokens(lowercase);
    read_tensors();
    read_config();
    read_pooling();
    return std::move(bert_);
  }

 private:
  [[nodiscard]] std::int64_t count(const char* key) const {
    const auto value = file_.at<std::int64_t>(key);
    if (value < 1) throw FormatError(fmt::format("{}: \"{}\" is {}", file_.origin, key, value));
    return value;
  }

  void read_tokens(std::optional<bool> lowercase) {
    const auto model = file_.at<std::string>("tokenizer.ggml.model");
    if (model == "t5") {
      if (lowercase) {
        throw ArgumentError(
            fmt::format("{}: the tokenizer is a Unigram model, which keeps text as its character "
                        "map has it: leave "
                        "--cased and --uncased out",
                        file_.origin));
      }
      bert_.unigram = gguf_unigram(file_, rows_of("position_embd.weight"));
      return;
    }
    if (model != "bert") {
      throw ModelError(
          fmt::format("{}: the tokenizer is {}, not \"bert\" (WordPiece) or \"t5\" (Unigram): "
                      "convert the model that "
                      "the file was made from instead",
                      file_.origin, in_quotes(model)));
    }
    bert_.tokens = file_.at<std::vector<std::string>>("tokenizer.ggml.tokens");
    bool cased = false;
    for (auto& token : bert_.tokens) {
      if (is_bracketed(token)) continue;  // the converter leaves these as they are
      // It writes words with a mark before them, and continuing pieces without their "##".
      if (token.starts_with(kWordBegin)) {
        token.erase(0, kWordBegin.size());
      } else {
        token.insert(0, "##");
      }
      cased = cased ||
              std::any_of(token.begin(), token.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    }
    bert_.tokenizer.lowercase = lowercase.value_or(!cased);
    auto& special = bert_.tokenizer.special_tokens;
    read_special(special.cls, {"cls", "bos"});
    read_special(special.sep, {"seperator", "separator", "eos"});  // older files misspell it
    read_special(special.pad, {"padding"});
    read_special(special.mask, {"mask"});
    read_special(special.unk, {"unknown"});
  }

  /// The token that the first of the keys that is there names by its id.
  void read_special(std::string& token, std::initializer_list<std::string_view> names) const {
    for (const auto name : names) {
      const auto key = fmt::format("tokenizer.ggml.{}_token_id", name);
      const auto id = file_.find<std::int64_t>(key);
      if (!id) continue;
      if (*id < 0 || *id >= static_cast<std::int64_t>(bert_.tokens.size())) {
        throw FormatError(fmt::format("{}: \"{}\" is {}, and there are {} tokens", file_.origin,
                                      key, *id, bert_.tokens.size()));
      }
      token = bert_.tokens[static_cast<std::size_t>(*id)];
      return;
    }
  }

  void read_tensors() {
    ranks_ = file_.tensors.contains("cls.output.weight");
    const std::string prefix = ranks_ ? "bert." : "";
    for (const auto& [name, tensor] : file_.tensors) {
      if (name.starts_with("cls.")) continue;
      if (const auto qkv = name.find(".attn_qkv."); qkv != std::string::npos) {
        add_parts(prefix, name, qkv);
      } else if (const auto ours = name_of_tensor(name); !ours.empty()) {
        bert_.tensors.emplace(prefix + ours, file_.tensor(name, owner_));
      } else {
        bert_.left_out.push_back(name);
      }
    }
    if (!ranks_) return;
    for (const auto* kind : {"weight", "bias"}) {
      bert_.tensors.emplace(fmt::format("bert.pooler.dense.{}", kind),
                            file_.tensor(fmt::format("cls.{}", kind), owner_));
      bert_.tensors.emplace(fmt::format("classifier.{}", kind),
                            file_.tensor(fmt::format("cls.output.{}", kind), owner_));
    }
  }

  /// Query, key and value that lie in one tensor, one after another.
  void add_parts(const std::string& prefix, const std::string& name, std::size_t at) {
    const auto whole = file_.tensor(name, owner_);
    const auto rows = whole.shape().empty() ? 0 : whole.dim(0);
    if (rows % 3 != 0) {
      throw FormatError(fmt::format("{}: tensor {} has {} rows, which are no three parts",
                                    file_.origin, name, rows));
    }
    constexpr std::string_view joined = "attn_qkv";
    std::int64_t begin = 0;
    for (const auto* part : {"attn_q", "attn_k", "attn_v"}) {
      auto single = name;
      single.replace(at + 1, joined.size(), part);
      bert_.tensors.emplace(prefix + name_of_tensor(single), whole.rows(begin, begin + rows / 3));
      begin += rows / 3;
    }
  }

  [[nodiscard]] std::int64_t rows_of(std::string_view theirs) const {
    const auto at = file_.tensors.find(theirs);
    if (at == file_.tensors.end() || at->second.shape.size() != 2) {
      throw FormatError(fmt::format("{}: there is no matrix \"{}\"", file_.origin, theirs));
    }
    return at->second.shape.front();
  }

  void read_config() {
    auto& config = bert_.config;
    config.hidden_size = count("bert.embedding_length");
    config.intermediate_size = count("bert.feed_forward_length");
    config.num_hidden_layers = count("bert.block_count");
    config.num_attention_heads = count("bert.attention.head_count");
    config.layer_norm_eps = file_.at<double>("bert.attention.layer_norm_epsilon");
    config.vocab_size = rows_of("token_embd.weight");
    config.max_position_embeddings = rows_of("position_embd.weight");
    config.type_vocab_size = rows_of("token_types.weight");
    config.pad_token_id = file_.find<std::int64_t>("tokenizer.ggml.padding_token_id").value_or(0);
    config.architectures = {ranks_ ? "BertForSequenceClassification" : "BertModel"};
    require_whole();
    const auto tokens =
        bert_.unigram ? bert_.unigram->tokens : static_cast<std::int64_t>(bert_.tokens.size());
    if (tokens > config.vocab_size) {
      throw FormatError(fmt::format("{}: there are {} tokens, and the model has {} word embeddings",
                                    file_.origin, tokens, config.vocab_size));
    }
    bert_.tokenizer.model_max_length = config.max_position_embeddings;
    if (!ranks_) return;
    config.id2label = file_.find<std::vector<std::string>>("bert.classifier.output_labels")
                          .value_or(std::vector<std::string>{});
    const auto labels = rows_of("cls.output.weight");
    if (config.id2label.empty()) {
      for (std::int64_t i = 0; i < labels; ++i)
        config.id2label.push_back(fmt::format("LABEL_{}", i));
    }
    if (static_cast<std::int64_t>(config.id2label.size()) != labels) {
      throw FormatError(fmt::format("{}: the classifier has {} outputs and {} labels", file_.origin,
                                    labels, config.id2label.size()));
    }
  }

  /// Throws where a tensor of the encoder is not there.
  void require_whole() const {
    const std::string prefix = ranks_ ? "bert." : "";
    const auto require = [&](const std::string& theirs) {
      if (bert_.tensors.contains(prefix + name_of_tensor(theirs))) return;
      throw FormatError(fmt::format("{}: there is no tensor \"{}\"", file_.origin, theirs));
    };
    for (const auto* kind : {"weight", "bias"}) require(fmt::format("token_embd_norm.{}", kind));
    for (std::int64_t layer = 0; layer < bert_.config.num_hidden_layers; ++layer) {
      for (const auto& [theirs, ours] : kLayer) {
        for (const auto* kind : {"weight", "bias"}) {
          require(fmt::format("blk.{}.{}.{}", layer, theirs, kind));
        }
      }
    }
  }

  void read_pooling() {
    const auto stated = file_.find<std::int64_t>("bert.pooling_type").value_or(0);
    switch (static_cast<PoolingType>(stated)) {
      case PoolingType::none:
        return;
      case PoolingType::mean:
        bert_.pooling = Pooling::mean;
        return;
      case PoolingType::cls:
        bert_.pooling = Pooling::cls;
        return;
      case PoolingType::last:
        bert_.pooling = Pooling::last_token;
        return;
      case PoolingType::rank:
        if (ranks_) return;
        throw ModelError(fmt::format(
            "{}: the model ranks (\"bert.pooling_type\" 4), and the file has not all of its head: "
            "a converter has left out \"cls.output.weight\"; convert the model that the file was "
            "made from instead",
            file_.origin));
    }
    throw FormatError(
        fmt::format("{}: \"bert.pooling_type\" is {}, which is not known", file_.origin, stated));
  }

  const GgufFile& file_;
  std::shared_ptr<const void> owner_;
  bool ranks_ = false;  // it has the head of a classifier
  GgufBert bert_;
};

}  // namespace

GgufBert gguf_bert(const GgufFile& file, std::optional<bool> lowercase,
                   const std::shared_ptr<const void>& owner) {
  return Reader(file, owner).read(lowercase);
}

}  // namespace cloze::internal
