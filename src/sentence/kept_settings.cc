#include "sentence/kept_settings.h"

#include <vector>

#include "core/io/files.h"
#include "sentence/model_settings.h"

namespace cloze {

std::string kept_model_settings(const std::filesystem::path& root, std::string_view task) {
  const auto path = root / kModelSettingsFile;
  if (!files::exists(path)) return {};
  std::vector<std::string> ignored;
  const auto settings = read_model_settings(root, ignored);
  const bool embeds = task == "sentence-embedding";
  const bool scores = task == "ranking" || task == "regression" || task == "text-classification";
  const bool kept = (embeds && settings.model_type == "SentenceTransformer") ||
                    (scores && settings.model_type == "CrossEncoder");
  return kept ? files::read_text(path) : std::string();
}

}  // namespace cloze
