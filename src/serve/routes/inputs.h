/// \file
/// What the routes have in common: texts, pairs and token ids as requests state them, and their
/// tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "serve/json/fields.h"
#include "serve/service.h"

namespace cloze::serve {

/// A text, or the ids of one.
using Input = std::variant<std::string, std::vector<std::int32_t>>;

/// A text, or a text and its pair.
struct TextOrPair {
  std::string text;
  std::optional<std::string> pair{};
};

/// How inputs are made to fit.
struct Fitting {
  bool truncate = true;
  bool left = false;  ///< at which end a text loses tokens
  std::string prompt{};
};

/// `truncate` and `truncation_direction` of a request, and with `prompts` its `prompt_name`.
/// `left_allowed`: whether the route can cut at the left.
[[nodiscard]] Fitting fitting_of(const Service& service, const ServedModel& model,
                                 const Fields& fields, bool prompts, bool left_allowed);

/// Reads `name`: a string, a list of ids, or a list of strings and lists of ids. `single` tells
/// whether it was one input. Throws RequestError: 400 where there are none, 422 for another shape,
/// too many, and ids that the vocabulary does not have.
[[nodiscard]] std::vector<Input> read_inputs(const Service& service, const ServedModel& model,
                                             const Fields& fields, const std::string& name,
                                             bool& single);

/// Reads `name`: a string or a list of strings.
[[nodiscard]] std::vector<std::string> read_texts(const Service& service, const Fields& fields,
                                                  const std::string& name, bool& single);

/// Throws RequestError (422) for more inputs than a request may have.
void require_batch(const Service& service, std::size_t inputs, const std::string& shown);

/// The ids of an input as the model reads it: special tokens added to a text and not to ids, cut to
/// the model's limit where that is wished, and counted in the reply. Throws RequestError (422) for
/// one that is too long.
[[nodiscard]] std::vector<std::int32_t> fit(const ServedModel& model, const Input& input,
                                            std::size_t index, const Fitting& fitting,
                                            Reply& reply);

/// The tokens that a text or pair is computed with, by the same rules, for what a pipeline tokenizes
/// itself.
[[nodiscard]] std::int64_t count_fitting(const ServedModel& model, std::string_view text,
                                         std::optional<std::string_view> pair, std::size_t index,
                                         const Fitting& fitting, Reply& reply);

/// Tokens that a prompt takes at the begin of a text, [CLS] included; 0 of an empty one.
[[nodiscard]] std::int64_t prompt_tokens(const ServedModel& model, const std::string& prompt);

}  // namespace cloze::serve
