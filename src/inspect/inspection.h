/// \file
/// Everything there is to see of one text in one model: attention, attribution, predictions by
/// layer, and predictions under masks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/bert.h"
#include "cloze/checkpoint.h"
#include "cloze/tensor.h"
#include "cloze/tokenizer.h"
#include "inspect/attribution.h"
#include "inspect/explanation.h"
#include "inspect/inspected_text.h"
#include "inspect/token_predictions.h"

namespace cloze {

/// A part of an inspection, and whether it is wanted.
enum class Wanted : std::uint8_t {
  no,
  if_possible,  ///< left out, with a note that says why, where model or text have no such thing
  yes,          ///< an error where they have not
};

struct InspectionOptions {
  InspectedLength length = {};
  Wanted attention = Wanted::if_possible;
  Wanted attribution = Wanted::if_possible;
  Wanted layers = Wanted::if_possible;
  /// `if_possible`: for texts of at most `most_masks` tokens, as the time grows with their square.
  Wanted masks = Wanted::if_possible;
  std::int64_t most_masks = 128;
  ExplanationOptions explanation = {};
  /// The token that stands for every word in the baseline of attributions. Empty: [PAD], or [MASK]
  /// in a vocabulary without.
  std::string baseline = {};
  AttributionOptions attributions = {};
  std::int64_t top = 5;              ///< predictions to keep for each place
  std::int64_t batch_tokens = 2048;  ///< of the masks' passes
  LoadOptions load = {};             ///< of all but the attributions, which are computed in f32
  /// What is being computed, how much of it is done, and of how much.
  std::function<void(std::string_view, std::int64_t, std::int64_t)> on_progress = {};
};

struct Inspection {
  std::string model;  ///< the directory's name
  BertConfig config;
  InspectedText text;
  std::vector<Tensor> attentions = {};  ///< [heads, tokens, tokens] (query, key) of each layer
  std::optional<Explanation> explanation = {};
  std::optional<Attribution> attribution = {};
  std::string baseline = {};  ///< the token that stood for every word
  std::optional<LayerPredictions> layers = {};
  std::optional<MaskedPredictions> masks = {};
  /// The vocabulary entries that `layers` and `masks` name.
  std::map<std::int32_t, std::string> vocabulary = {};
  /// Why a part is missing, by its name: "attribution", "layers", "masks".
  std::map<std::string, std::string> notes = {};
};

/// Loads the model in `directory` and looks into `text` (and `pair`). Throws IoError, FormatError
/// and ModelError as the models do, ModelError and ArgumentError for a part that is `Wanted::yes`
/// and cannot be had, ArgumentError for a text that is empty or too long.
[[nodiscard]] Inspection inspect(const std::filesystem::path& directory, std::string text,
                                 std::optional<std::string> pair, const InspectionOptions& options);

/// The inspection as tensors: `input_ids`, `token_type_ids`, `attentions.LAYER` [heads, tokens,
/// tokens], `integrated_gradients`, `gradient_x_input` [tokens], `layers.ids`,
/// `layers.probabilities` [hidden states, tokens, top], `masks.positions`, `masks.surprise`
/// [positions], `masks.ids`, `masks.probabilities` [positions, top]; what was not computed is left
/// out.
[[nodiscard]] TensorMap tensors_of(const Inspection& inspection);

}  // namespace cloze
