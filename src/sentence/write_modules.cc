#include "sentence/write_modules.h"

#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "sentence/module_settings.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

void write(const fs::path& path, const OrderedJson& json) {
  make_directory(path.parent_path());
  files::write_text(path, json.dump(2) + '\n');
}

}  // namespace

void write_modules(const fs::path& directory, const SentenceModules& modules) {
  OrderedJson list = OrderedJson::array();
  const auto add = [&](const std::string& path, const char* type) {
    const auto index = list.size();
    list.push_back({{"idx", index},
                    {"name", std::to_string(index)},
                    {"path", path},
                    {"type", fmt::format("sentence_transformers.models.{}", type)}});
  };
  OrderedJson pooling{{"word_embedding_dimension", modules.hidden_size}};
  for (const auto& [name, mode] : kPoolingFlags) pooling[name] = mode == modules.pooling;
  add("", "Transformer");
  add("1_Pooling", "Pooling");
  write(directory / "1_Pooling" / "config.json", pooling);
  write(directory / "sentence_bert_config.json",
        {{"max_seq_length", modules.max_seq_length}, {"do_lower_case", false}});
  if (modules.normalize) {
    add("2_Normalize", "Normalize");
    make_directory(directory / "2_Normalize");
  }
  write(directory / "modules.json", list);
}

}  // namespace cloze
