#include "serve/served_model.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/model_info.h"
#include "cloze/sentence_settings.h"

namespace cloze::serve {
namespace {

bool has_entailment(const BertConfig& config) {
  constexpr std::string_view entail = "entail";
  return config.num_labels() > 1 &&
         std::any_of(config.id2label.begin(), config.id2label.end(), [&](const std::string& label) {
           return label.size() >= entail.size() &&
                  std::equal(entail.begin(), entail.end(), label.begin(), [](char a, char b) {
                    return a == std::tolower(static_cast<unsigned char>(b));
                  });
         });
}

template <class P>
const Tokenizer* tokenizer_of(const std::optional<P>& pipeline) {
  return pipeline ? &pipeline->tokenizer() : nullptr;
}

template <class P>
const BertConfig* config_of(const std::optional<P>& pipeline) {
  return pipeline ? &pipeline->config() : nullptr;
}

}  // namespace

ServedModel::ServedModel(const ModelChoice& choice, const PipelineOptions& options)
    : name_(choice.name),
      given_(choice.given),
      directory_(choice.directory),
      options_(options),
      dtype_(name_of(resolve(options.load.precision))) {
  load(choice, options);
}

void ServedModel::load(const ModelChoice& choice, const PipelineOptions& options) {
  const auto& directory = choice.directory;
  const auto keep = [&](const std::vector<std::string>& warnings) {
    warnings_.insert(warnings_.end(), warnings.begin(), warnings.end());
  };
  const auto kind = vector_kind(directory);
  if (!choice.pooling && kind == VectorKind::sparse) {
    sparse = SparseEncoder::from_pretrained(directory, {.pipeline = options});
    keep(sparse->warnings());
    tasks_ = {"sparse-embedding"};
    return;
  }
  if (!choice.pooling && kind == VectorKind::multi_vector) {
    throw ModelError(
        fmt::format("{} makes a vector of each token (ColBERT), for which cloze serve "
                    "has no route: use cloze encode and cloze rank",
                    choice.given));
  }
  const auto info = model_info(directory.string());
  const auto answers = [&](std::string_view pipeline) {
    return std::any_of(info.heads.begin(), info.heads.end(),
                       [&](const HeadInfo& head) { return head.pipeline == pipeline; });
  };
  const bool plain = choice.pooling || kind == VectorKind::sentence || info.heads.empty();
  if (plain) {
    SentenceTransformerOptions sentence_options{.pipeline = options, .pooling = choice.pooling};
    normalizes = !choice.pooling && kind == VectorKind::sentence &&
                 sentence_settings(directory).value_or(SentenceSettings{}).normalizes();
    sentence_options.normalize = false;
    sentence = SentenceTransformer::from_pretrained(directory, sentence_options);
    keep(sentence->warnings());
    tasks_ = {"feature-extraction", "sentence-similarity"};
  } else if (answers("text-classification") || answers("text-ranking")) {
    load_classifier(choice, options);
  } else if (answers("token-classification")) {
    tagger = TokenClassificationPipeline::from_pretrained(directory, options);
    keep(tagger->warnings());
    tasks_ = {"token-classification"};
  } else if (answers("question-answering")) {
    reader = QuestionAnsweringPipeline::from_pretrained(directory, options);
    keep(reader->warnings());
    tasks_ = {"question-answering"};
  } else if (answers("fill-mask") || answers("pretraining")) {
    filler = FillMaskPipeline::from_pretrained(directory, options);
    keep(filler->warnings());
    tasks_ = {"fill-mask"};
  } else {
    throw ModelError(
        fmt::format("cloze serve has no route for the head of {} ({}): serve its vectors with "
                    "--pooling mean, or use the command cloze",
                    choice.given, info.heads.front().name));
  }
}

void ServedModel::load_classifier(const ModelChoice& choice, const PipelineOptions& options) {
  const auto& directory = choice.directory;
  const auto config = BertConfig::from_pretrained(transformer_directory(directory));
  // The pipelines share one set of weights.
  if (config.num_labels() == 1) {
    ranker = CrossEncoder::from_pretrained(directory, options);
    classifier.emplace(ranker->model(), ranker->tokenizer(), options.batch_tokens);
    warnings_ = ranker->warnings();
    tasks_ = {"text-ranking", "text-classification"};
    return;
  }
  if (has_entailment(config)) {
    zero_shot = ZeroShotClassificationPipeline::from_pretrained(directory, options);
    classifier.emplace(zero_shot->model(), zero_shot->tokenizer(), options.batch_tokens);
    warnings_ = zero_shot->warnings();
    tasks_ = {"text-classification", "zero-shot-classification"};
    return;
  }
  classifier = TextClassificationPipeline::from_pretrained(directory, options);
  warnings_ = classifier->warnings();
  tasks_ = {"text-classification"};
}

bool ServedModel::has(std::string_view task) const {
  return std::find(tasks_.begin(), tasks_.end(), task) != tasks_.end();
}

const Tokenizer& ServedModel::tokenizer() const {
  for (const auto* each : {tokenizer_of(sentence), tokenizer_of(sparse), tokenizer_of(ranker),
                           tokenizer_of(classifier), tokenizer_of(tagger), tokenizer_of(reader)}) {
    if (each != nullptr) return *each;
  }
  return filler->tokenizer();
}

const BertConfig& ServedModel::config() const {
  for (const auto* each : {config_of(sentence), config_of(sparse), config_of(classifier),
                           config_of(tagger), config_of(reader)}) {
    if (each != nullptr) return *each;
  }
  return filler->config();
}

std::int64_t ServedModel::max_length() const {
  if (sentence) return sentence->max_length();
  if (sparse) return sparse->max_length();
  if (ranker) return ranker->max_length();
  return config().max_position_embeddings;
}

const Prompts& ServedModel::prompts() const {
  static const Prompts none;
  if (sentence) return sentence->prompts();
  if (sparse) return sparse->prompts();
  return ranker ? ranker->prompts() : none;
}

const FeatureExtractionPipeline& ServedModel::token_vectors() const {
  std::call_once(token_vectors_once_, [&] {
    token_vectors_ =
        FeatureExtractionPipeline::from_pretrained(transformer_directory(directory_), options_);
  });
  return *token_vectors_;
}

}  // namespace cloze::serve
