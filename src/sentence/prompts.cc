#include "cloze/prompts.h"

#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"

namespace cloze {
namespace {

std::string named(const Prompts& prompts, const char* name) {
  const auto found = prompts.prompts.find(name);
  return found == prompts.prompts.end() ? "" : found->second;
}

}  // namespace

std::string Prompts::for_queries() const { return named(*this, "query"); }

std::string Prompts::for_documents() const { return named(*this, "document"); }

std::string Prompts::resolve(const std::optional<std::string>& prompt,
                             const std::optional<std::string>& prompt_name) const {
  if (prompt && prompt_name) {
    throw ArgumentError("give a prompt or the name of one, not both");
  }
  if (prompt) return *prompt;
  const auto& name = prompt_name ? prompt_name : default_prompt_name;
  if (!name) return {};
  const auto found = prompts.find(*name);
  if (found != prompts.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, text] : prompts) names.push_back(known);
  throw ArgumentError(fmt::format(
      "this model has no prompt {}: {}", in_quotes(*name),
      names.empty() ? "it has none (config_sentence_transformers.json names a model's prompts)"
                    : fmt::format("it has {}", excerpt_of_list(names))));
}

}  // namespace cloze
