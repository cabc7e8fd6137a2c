/// \file
/// What all pipelines share: how they are loaded, how texts are given to them, and how long a text
/// may be. A pipeline turns texts into answers: it tokenizes, computes in batches of texts of like
/// length, and reads the logits as transformers' pipeline of the same name does.
///
///     const auto classify = cloze::TextClassificationPipeline::from_pretrained("./sentiment");
///     const std::vector<std::string> texts{"What a film!", "Two hours that I want back."};
///     const auto labels = classify(texts, {.limits = {.truncate = true}});
///
/// text_classification.h, token_classification.h, question_answering.h, multiple_choice.h,
/// text_ranking.h, zero_shot_classification.h, fill_mask.h, next_sentence.h and
/// feature_extraction.h have the pipelines, sentence_transformer.h the vectors of sentences.
///
/// Every pipeline is immutable, safe to share between threads, and cheap to copy. Results stand in
/// the order of the texts, and do not depend on how many threads call.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/bert.h"
#include "cloze/config.h"
#include "cloze/error.h"
#include "cloze/progress.h"
#include "cloze/text_reader.h"
#include "cloze/tokenizer.h"

#pragma GCC visibility push(default)
namespace cloze {

/// How `from_pretrained` loads a pipeline.
struct PipelineOptions {
  LoadOptions load{};                ///< the precision of the weights
  std::int64_t batch_tokens = 8192;  ///< tokens to compute at once: more is faster, takes memory
  ProgressCallback progress{};       ///< told of a download from the Hub
};

/// What messages call text `index` (from 0) of a call.
using TextName = std::function<std::string(std::size_t index)>;

/// Told how many texts of a call were cut, where any were: on the thread that calls, before the model
/// computes. To know it, texts that fill the limit are tokenized twice.
using TextsCut = std::function<void(std::size_t texts)>;

/// How long the texts of a call may be.
struct TextLimits {
  /// Tokens of a text or pair, special ones included; 0: what the model reads.
  std::int64_t max_length = 0;
  bool truncate = false;  ///< cut a longer text (of a pair the longer one) instead of throwing
  TextName name{};        ///< empty: "text 3", counted from 1
  TextsCut on_cut{};      ///< of `truncate`; empty: nobody asks
};

/// A text is longer than the limit of the call, and was not to be cut.
class TextTooLong : public ArgumentError {
 public:
  TextTooLong(const std::string& name, std::int64_t tokens, std::int64_t limit);
  [[nodiscard]] const std::string& name() const { return name_; }  ///< "text 3"
  [[nodiscard]] std::int64_t tokens() const { return tokens_; }    ///< special ones included
  [[nodiscard]] std::int64_t limit() const { return limit_; }

 private:
  std::string name_;
  std::int64_t tokens_, limit_;
};

/// The texts of a call: a view of any array of strings, pairs of texts, or items of a TextReader,
/// such as std::span<const std::string_view> or std::vector<std::string>. What it views must
/// outlive the call.
class Texts {
 public:
  /// A text, or a pair of texts.
  struct Text {
    std::string_view first;
    std::optional<std::string_view> second;
  };

  Texts() = default;

  template <std::ranges::contiguous_range Range>
  requires(std::convertible_to<const std::ranges::range_value_t<Range>&, std::string_view> ||
           std::same_as<std::ranges::range_value_t<Range>, TextPair> ||
           std::same_as<std::ranges::range_value_t<Range>, TextItem>)
      Texts(const Range& texts)  // NOLINT(google-explicit-constructor): a view, as std::span is
      : data_(std::ranges::data(texts)),
        size_(std::ranges::size(texts)),
        at_([](const void* data, std::size_t index) {
          using Value = std::ranges::range_value_t<Range>;
          const auto& value = static_cast<const Value*>(data)[index];
          if constexpr (std::same_as<Value, TextPair>) {
            return Text{value.first, value.second};
          } else if constexpr (std::same_as<Value, TextItem>) {
            return Text{value.text, value.pair};
          } else {
            return Text{value, std::nullopt};
          }
        }) {}

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] Text operator[](std::size_t index) const { return at_(data_, index); }

 private:
  const void* data_ = nullptr;
  std::size_t size_ = 0;
  Text (*at_)(const void*, std::size_t) = nullptr;
};

/// A model with its tokenizer: the part that all pipelines have. `Model` is one of bert.h.
template <class Model>
class Pipeline {
 public:
  [[nodiscard]] const Model& model() const { return state_->model; }
  [[nodiscard]] const Tokenizer& tokenizer() const { return state_->tokenizer; }
  [[nodiscard]] const BertConfig& config() const { return state_->model.config(); }
  [[nodiscard]] std::int64_t batch_tokens() const { return state_->batch_tokens; }
  /// Tokens that the model reads at most, special ones included.
  [[nodiscard]] std::int64_t max_length() const { return config().max_position_embeddings; }
  /// What the model's files state that Cloze does not know, and what is probably not as it should
  /// be, in words for people. Empty for a model that was not loaded from files.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 protected:
  /// Throws ModelError when the tokenizer has more tokens than the model embeds, ArgumentError for
  /// `batch_tokens` under 1.
  Pipeline(Model model, Tokenizer tokenizer, std::int64_t batch_tokens);

  /// Loads a model directory, or a model by its name (see find_model). Throws ModelError when its
  /// config.json names the class of another task, and as find_model and the model's
  /// `from_pretrained` do.
  Pipeline(const std::filesystem::path& directory_or_name, const PipelineOptions& options);

  /// Adds to warnings().
  void warn(const std::vector<std::string>& warnings) {
    warnings_.insert(warnings_.end(), warnings.begin(), warnings.end());
  }

 private:
  struct State {
    Model model;
    Tokenizer tokenizer;
    std::int64_t batch_tokens = 0;
  };
  std::shared_ptr<const State> state_;
  std::vector<std::string> warnings_;
};

extern template class Pipeline<BertModel>;
extern template class Pipeline<BertForMaskedLM>;
extern template class Pipeline<BertForNextSentencePrediction>;
extern template class Pipeline<BertForSequenceClassification>;
extern template class Pipeline<BertForTokenClassification>;
extern template class Pipeline<BertForQuestionAnswering>;
extern template class Pipeline<BertForMultipleChoice>;
extern template class Pipeline<ElectraForPreTraining>;

}  // namespace cloze

#pragma GCC visibility pop
