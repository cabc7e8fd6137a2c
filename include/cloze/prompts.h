/// \file
/// Prompts: texts that a model was trained to find before what it reads, such as "query: ", under
/// the names that sentence-transformers' `config_sentence_transformers.json` gives them.
#pragma once

#include <map>
#include <optional>
#include <string>

#pragma GCC visibility push(default)
namespace cloze {

/// The prompts of a model.
struct Prompts {
  std::map<std::string, std::string> prompts{};      ///< by name; some are empty
  std::optional<std::string> default_prompt_name{};  ///< of the one that is used unless told

  /// The text that goes before each text of a call: `prompt` itself, the prompt of the name
  /// `prompt_name`, or the default one; empty for none. Throws ArgumentError for a name that is not
  /// there, saying which are, and where both are given.
  [[nodiscard]] std::string resolve(const std::optional<std::string>& prompt,
                                    const std::optional<std::string>& prompt_name) const;

  /// What goes before queries and before documents in a search: the prompt "query" or "document",
  /// empty where there is none. Neither another name nor the default one takes its place, as in
  /// sentence-transformers' encode_query and encode_document.
  [[nodiscard]] std::string for_queries() const;
  [[nodiscard]] std::string for_documents() const;
};

}  // namespace cloze

#pragma GCC visibility pop
