/// \file
/// `modules.json`: what a sentence-transformers model is made of.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cloze {

/// An entry of the list.
struct ModuleEntry {
  std::string type{};                 ///< "sentence_transformers.models.Transformer"
  std::filesystem::path directory{};  ///< inside the model's

  /// The last part of the type, whatever package it lives in.
  [[nodiscard]] std::string_view name() const {
    return std::string_view(type).substr(type.rfind('.') + 1);
  }
  /// Whether it is a BERT: 2019's sentence-transformers had a class for each kind of model, and 5 one
  /// for masked language models.
  [[nodiscard]] bool is_transformer() const;
  /// Whether it is of another program than sentence-transformers.
  [[nodiscard]] bool foreign() const;
};

/// The modules in their order; nothing where there is no `modules.json`. What an entry states that
/// Cloze does not know goes to `warnings`, which may be null: then nothing is looked at but types and
/// places. Throws FormatError, and ModelError for an entry that takes arguments of a call.
[[nodiscard]] std::optional<std::vector<ModuleEntry>> read_modules(
    const std::filesystem::path& directory, std::vector<std::string>* warnings);

/// Throws ModelError for a module of which only sentence-transformers, or other code, knows what it
/// computes: "`directory`/modules.json has a module TYPE`why`: `remedy`".
[[noreturn]] void refuse_module(const std::filesystem::path& directory, const std::string& type,
                                std::string_view why,
                                std::string_view remedy =
                                    "a pooling of your choice gives the "
                                    "vectors before it");

}  // namespace cloze
