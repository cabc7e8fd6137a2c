/// \file
/// Looking into a model: what it attends to in one text, which words its answer came from, and what
/// its masked-LM head predicts at each layer and under masks.
///
///     const auto inspection = cloze::inspect("bert-base-uncased", "Paris is the [MASK] of
///     France."); for (const auto& word : cloze::word_attributions(inspection)) ...
///     cloze::save_inspection(inspection, "page.html");
///
/// docs/inspect.md explains the methods, and what they do not show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/batch.h"
#include "cloze/bert.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/progress.h"
#include "cloze/tensor.h"
#include "cloze/tokenizer.h"

#pragma GCC visibility push(default)
namespace cloze {

/// Whether a part of an inspection is computed.
enum class Wanted : std::uint8_t {
  no,
  if_possible,  ///< left out, with a note that says why, where model or text have no such part
  yes,          ///< an error where they have no such part
};

/// Which of a model's answers is explained.
enum class AnswerKind : std::uint8_t {
  automatic,  ///< the first that model and text have: label, tag, answer, mask, next
  label,      ///< the text's label (sequence classification), or its value (regression)
  tag,        ///< the tag of one token (token classification)
  answer,     ///< the span of the second text that answers the first
  mask,       ///< the token at a [MASK]
  next,       ///< whether the second text follows the first
};

/// "auto", "label", "tag", "answer", "mask" or "next". Throws ArgumentError for another name.
[[nodiscard]] AnswerKind answer_kind_from(std::string_view name);

/// The name that `answer_kind_from` reads.
[[nodiscard]] std::string_view name_of(AnswerKind kind);

/// Which answer is explained.
struct ExplanationOptions {
  AnswerKind kind = AnswerKind::automatic;
  /// Explain this label, or this token at the mask, instead of the likeliest. Empty: the likeliest.
  std::string target = {};
  /// The token whose tag, or the mask that, is explained, as an index into the tokens of the
  /// sequence. -1: the first mask, or the token whose tag other than "O" has the highest
  /// probability.
  std::int64_t at = -1;
};

/// How integrated gradients are computed.
struct AttributionOptions {
  /// Points of the Gauss-Legendre quadrature along the straight path from the baseline's embeddings
  /// to the text's. 0: 50 (captum's default), doubled until the completeness gap is at most `gap`,
  /// or until twice as many would be more than `most_steps`.
  int steps = 0;
  double gap = 0.01;
  int most_steps = 800;
  /// Tokens of the points that are computed at once. Limits the memory.
  std::int64_t batch_tokens = 1024;
};

/// What `inspect` computes, and how.
struct InspectionOptions {
  /// Most tokens of the text, special ones included; 0: as many as the model reads.
  std::int64_t max_length = 0;
  bool truncate = false;  ///< cut a longer text instead of refusing it

  Wanted attention = Wanted::if_possible;
  Wanted attribution = Wanted::if_possible;
  Wanted layers = Wanted::if_possible;  ///< predictions of the masked-LM head at each layer
  /// Predictions with each token masked in turn. `if_possible`: for texts of at most `most_masks`
  /// tokens, because the time grows with the square of their number.
  Wanted masks = Wanted::if_possible;
  std::int64_t most_masks = 128;

  ExplanationOptions explanation = {};
  /// The token that stands for every word in the baseline of attributions. Empty: [PAD], or [MASK]
  /// in a vocabulary without [PAD].
  std::string baseline = {};
  AttributionOptions attributions = {};
  std::int64_t top = 5;              ///< predictions to keep for each position
  std::int64_t batch_tokens = 2048;  ///< most tokens to compute at once: limits the memory
  LoadOptions load = {};             ///< for all but the attributions, which are computed in f32
};

/// Neighbouring tokens of one word, or a special token.
struct InspectedWord {
  std::int32_t begin = 0, end = 0;  ///< its tokens
  std::int32_t sequence = -1;       ///< 0 first text, 1 second, -1 special token
  bool space = false;               ///< something of the text stands between it and the word before
  std::string text = {};            ///< as it stands in the text; the token where it is special
};

/// The text (or pair), as tokens and as words.
struct InspectedText {
  std::string text;
  std::optional<std::string> pair;
  Encoding encoding = {};  ///< offsets in bytes
  Batch batch = {};        ///< the one sequence
  std::vector<InspectedWord> words = {};

  [[nodiscard]] std::int64_t tokens() const { return batch.total_tokens(); }
};

/// A logit of a model's head.
struct ExplainedLogit {
  std::int32_t token = 0;   ///< index of the token; 0 for heads on the pooled output
  std::int32_t output = 0;  ///< label, vocabulary id, or 0 (start) and 1 (end) of an answer's span
};

/// One of the answers that a model could give.
struct AnswerCandidate {
  std::string name;
  double probability = 0;
};

/// What the model answers, and the score that stands for this answer.
struct Explanation {
  AnswerKind kind = AnswerKind::label;
  std::vector<ExplainedLogit> logits = {};  ///< their sum is the score that is explained
  std::string answer = {};                  ///< the label, tag, span or token that is explained
  double probability = 0;   ///< of that answer, by the head; for regression the value itself
  bool regression = false;  ///< the answer is a value, not a label
  std::string score = {};   ///< the score in words: "the logit of label POSITIVE"
  std::int32_t at = -1;     ///< the token that the answer is about, or -1
  std::vector<AnswerCandidate> candidates = {};  ///< the likeliest answers, best first
};

/// Which tokens a score came from: integrated gradients (Sundararajan et al., arXiv:1703.01365) and
/// gradient x input, on the output of the word embeddings, as captum's LayerIntegratedGradients and
/// LayerGradientXActivation compute them on `bert.embeddings.word_embeddings`.
struct Attribution {
  /// f32 [tokens]: the sum over the embedding's elements of (x - baseline) times the integral of
  /// the score's gradient. Their sum is score - baseline_score, except for the completeness gap.
  /// 0 where the baseline has the text's token.
  Tensor integrated_gradients;
  /// f32 [tokens]: the sum over the embedding's elements of x times the gradient at the text.
  Tensor gradient_x_input;
  double score = 0;           ///< of the text: the sum of the logits that are explained
  double baseline_score = 0;  ///< of the baseline
  int steps = 0;              ///< points of the quadrature that gave the result
  /// |sum of integrated_gradients - (score - baseline_score)| / |score - baseline_score|: the error
  /// of the quadrature.
  double completeness_gap = 0;
};

/// What the masked-LM head predicts from each of the hidden states of a text ("logit lens",
/// nostalgebraist 2020).
struct LayerPredictions {
  Tensor ids;            ///< i32 [hidden states, tokens, top], likeliest first
  Tensor probabilities;  ///< f32, the same shape; softmax over the vocabulary
};

/// What the masked-LM head predicts when each token is masked in turn (pseudo-perplexity, Salazar
/// et al., arXiv:1910.14659).
struct MaskedPredictions {
  std::vector<std::int32_t> positions;  ///< the tokens that were masked
  Tensor surprise;                      ///< f32 [positions]: -log p(the token that was there), nats
  Tensor ids;                           ///< i32 [positions, top], likeliest first
  Tensor probabilities;                 ///< f32 [positions, top]
  double pseudo_perplexity = 0;         ///< exp of the mean surprise; 0 without positions
};

/// What `inspect` found.
struct Inspection {
  std::string model;  ///< name of the model's directory
  BertConfig config;
  InspectedText text;
  std::vector<Tensor> attentions = {};  ///< each layer's f32 [heads, tokens, tokens] (query, key)
  std::optional<Explanation> explanation = {};
  std::optional<Attribution> attribution = {};
  std::string baseline = {};  ///< the token that stood for every word
  std::optional<LayerPredictions> layers = {};
  std::optional<MaskedPredictions> masks = {};
  /// The tokens of the ids in `layers` and `masks`.
  std::map<std::int32_t, std::string> vocabulary = {};
  /// Why a part is missing, by its name: "attribution", "layers", "masks".
  std::map<std::string, std::string> notes = {};
};

/// Loads the model (a directory or a name, see hub.h) and looks into `text`, or into the pair of
/// `text` and `pair`. `progress` is told of the stages "attributing", "encoding", "layers" and
/// "masks", and of a download.
///
/// Throws IoError, FormatError and ModelError as the models do, ModelError and ArgumentError for a
/// part that is `Wanted::yes` and cannot be had, ArgumentError for a text that is empty or too
/// long, Cancelled.
[[nodiscard]] Inspection inspect(const std::string& directory_or_name, std::string_view text,
                                 std::optional<std::string_view> pair = std::nullopt,
                                 const InspectionOptions& options = {},
                                 const ProgressCallback& progress = {});

/// A word of the text and what it added to the score.
struct WordAttribution {
  InspectedWord word;
  double value = 0;  ///< sum of the integrated gradients of its tokens
};

/// The words of the texts (without special tokens), those with the largest absolute value first.
/// Empty where the inspection has no attribution.
[[nodiscard]] std::vector<WordAttribution> word_attributions(const Inspection& inspection);

/// The inspection as tensors: `input_ids`, `token_type_ids`, `attentions.LAYER` [heads, tokens,
/// tokens], `integrated_gradients`, `gradient_x_input` [tokens], `layers.ids`,
/// `layers.probabilities` [hidden states, tokens, top], `masks.positions`, `masks.surprise`
/// [positions], `masks.ids`, `masks.probabilities` [positions, top]. What was not computed is left
/// out.
[[nodiscard]] TensorMap tensors_of(const Inspection& inspection);

/// Takes a text piece by piece. The attention of BERT-base on 512 tokens has 37 million values, so
/// their JSON is not held in memory.
using TextSink = std::function<void(std::string_view piece)>;

/// Writes one JSON object and a line end; docs/inspect.md names its fields. Numbers have 6
/// significant digits.
void write_json(const Inspection& inspection, const TextSink& sink);

/// Limits of a page.
struct PageOptions {
  /// Most bytes of the page. Attention is quantized, and its smallest values are dropped, until it
  /// fits; the page says how much was dropped.
  std::size_t most_bytes = 2'900'000;
};

/// One HTML file that needs nothing but a browser: attention, attributions and predictions.
[[nodiscard]] std::string inspection_page(const Inspection& inspection,
                                          const PageOptions& options = {});

/// Writes the inspection as the extension of `path` says: `.html` (the page), `.json` or
/// `.safetensors` (the tensors). The file appears complete or not at all. Throws IoError, and
/// ArgumentError for another extension.
void save_inspection(const Inspection& inspection, const std::filesystem::path& path);

}  // namespace cloze

#pragma GCC visibility pop
