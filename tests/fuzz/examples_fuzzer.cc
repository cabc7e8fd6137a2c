// Any bytes as a file of examples: tables, tagged sentences, questions, choices. They are read, or
// refused with an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <unistd.h>

#include "cloze/error.h"
#include "cloze/squad.h"
#include "datasets/choice_reader.h"
#include "datasets/conll_reader.h"
#include "datasets/labelled_text.h"
#include "metrics/squad.h"

namespace {

using namespace cloze;  // a program of its own

void read(unsigned kind, std::string_view content, const std::filesystem::path& file) {
  if (kind % 4 == 2) {
    for (const auto& question : parse_squad(content, "input").questions) {
      for (const auto& answer : question.answers) (void)normalize_answer(answer.text);
    }
    return;
  }
  std::ofstream(file, std::ios::binary)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
  if (kind % 4 == 1) {
    for (const auto& sentence : read_conll(file, {}).sentences) {
      if (sentence.words.size() != sentence.tags.size()) std::abort();
    }
  } else if (kind % 4 == 3) {
    (void)read_choices(file, {});
  } else {
    LabelledTextOptions options;
    options.multi_label = (kind & 4U) != 0;
    LabelledTextReader reader(file, options);
    while (const auto row = reader.next()) {
      if (!options.multi_label && row->labels.size() != 1) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const auto name = "cloze-examples-fuzz-" + std::to_string(::getpid());
  constexpr const char* endings[] = {"", ".csv", ".tsv", ".jsonl"};
  const auto file = std::filesystem::temp_directory_path() / (name + endings[(data[0] >> 4U) % 4]);
  try {
    read(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1}, file);
  } catch (const Error&) {
    return 0;  // said what is wrong
  }
  return 0;
}
