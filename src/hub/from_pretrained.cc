// What is read by a directory or by a name: the readers of files do not know the Hub.
#include <filesystem>

#include "checkpoint/read_config.h"
#include "cloze/config.h"
#include "cloze/hub.h"
#include "cloze/tokenizer.h"
#include "core/io/files.h"

namespace cloze {
namespace {

/// A path that can be no name is the reader's to complain about.
std::filesystem::path directory_of(const std::filesystem::path& directory_or_name) {
  if (files::is_directory(directory_or_name) || !is_hub_name(directory_or_name.string())) {
    return directory_or_name;
  }
  return find_model(directory_or_name.string());
}

}  // namespace

Tokenizer Tokenizer::from_pretrained(const std::filesystem::path& directory_or_name,
                                     TokenizerMode mode) {
  return from_directory(directory_of(directory_or_name), {.mode = mode});
}

Tokenizer Tokenizer::from_pretrained(const std::filesystem::path& directory_or_name,
                                     const TokenizerSource& source) {
  return from_directory(directory_of(directory_or_name), source);
}

BertConfig BertConfig::from_pretrained(const std::filesystem::path& directory_or_name) {
  return internal::read_config(directory_of(directory_or_name));
}

}  // namespace cloze
