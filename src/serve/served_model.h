/// \file
/// A model that is being served: its name, and the pipelines that answer with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/feature_extraction.h"
#include "cloze/fill_mask.h"
#include "cloze/pipeline.h"
#include "cloze/pooling.h"
#include "cloze/question_answering.h"
#include "cloze/sentence_transformer.h"
#include "cloze/sparse_encoder.h"
#include "cloze/text_classification.h"
#include "cloze/text_ranking.h"
#include "cloze/token_classification.h"
#include "cloze/zero_shot_classification.h"

namespace cloze::serve {

/// Which model to serve, and under which name.
struct ModelChoice {
  std::string name;   ///< what clients call it
  std::string given;  ///< as the command line has it
  std::filesystem::path directory;
  std::optional<Pooling>
      pooling{};  ///< serve sentence vectors with this pooling, whatever heads it has
};

/// Everything that a model can answer; immutable but for what is loaded when it is first needed.
class ServedModel {
 public:
  /// Loads what the model's directory has heads for. Throws as the pipelines do; ModelError for a
  /// model without a route (multiple choice, next sentence, ColBERT, ELECTRA's discriminator).
  ServedModel(const ModelChoice& choice, const PipelineOptions& options);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& given() const { return given_; }
  [[nodiscard]] const Tokenizer& tokenizer() const;
  [[nodiscard]] const BertConfig& config() const;
  [[nodiscard]] std::string_view dtype() const { return dtype_; }
  /// Tokens of an input, special ones included.
  [[nodiscard]] std::int64_t max_length() const;
  [[nodiscard]] const Prompts& prompts() const;
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

  /// The tasks that it answers, by transformers' names; the first is that of `/`.
  [[nodiscard]] const std::vector<std::string>& tasks() const { return tasks_; }
  [[nodiscard]] bool has(std::string_view task) const;

  // What answers; nothing where the model has no such head.
  std::optional<SentenceTransformer> sentence;  ///< its vectors are not normalized at the end
  bool normalizes = false;                      ///< whether its directory says that they are
  std::optional<SparseEncoder> sparse;
  std::optional<TextClassificationPipeline> classifier;
  std::optional<CrossEncoder> ranker;
  std::optional<ZeroShotClassificationPipeline> zero_shot;
  std::optional<TokenClassificationPipeline> tagger;
  std::optional<QuestionAnsweringPipeline> reader;
  std::optional<FillMaskPipeline> filler;

  /// The encoder alone, for the vectors of tokens: loaded when first asked for, on any thread.
  [[nodiscard]] const FeatureExtractionPipeline& token_vectors() const;

 private:
  void load(const ModelChoice& choice, const PipelineOptions& options);
  void load_classifier(const ModelChoice& choice, const PipelineOptions& options);

  std::string name_, given_;
  std::filesystem::path directory_;
  PipelineOptions options_;
  std::string dtype_;
  std::vector<std::string> tasks_, warnings_;
  mutable std::once_flag token_vectors_once_;
  mutable std::optional<FeatureExtractionPipeline> token_vectors_;
};

}  // namespace cloze::serve
