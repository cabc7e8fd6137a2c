// Arbitrary bytes as the settings of a sentence-transformers directory: modules.json, the Pooling's
// and the Dense's config.json, sentence_bert_config.json, config_sentence_transformers.json and
// tokenizer_config.json, in this order with a zero byte between them. Refused with an Error, or
// settings of sane sizes.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>

#include "cloze/config.h"
#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "fuzz/fuzzed_file.h"
#include "sentence/dense.h"
#include "sentence/ranking_settings.h"

namespace {

using cloze::testing::FuzzedFile;

/// The directory with its files.
class Directory {
 public:
  Directory() {
    const auto root = modules_.path().parent_path();
    for (const auto* module : {"1_Pooling", "2_Dense"}) {
      std::filesystem::create_directory(root / module);
    }
    constexpr std::array kNames{"1_Pooling/config.json", "2_Dense/config.json",
                                "sentence_bert_config.json", "config_sentence_transformers.json",
                                "tokenizer_config.json"};
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      others_[i] = std::make_unique<FuzzedFile>(kNames[i], root);
    }
  }

  /// Writes the parts of `bytes`; a file whose part is missing is not there.
  void write(std::span<const std::uint8_t> bytes) const {
    bool there = true;
    write_part(modules_, bytes, there);
    for (const auto& other : others_) write_part(*other, bytes, there);
  }

  [[nodiscard]] std::filesystem::path path() const { return modules_.path().parent_path(); }

 private:
  static void write_part(const FuzzedFile& file, std::span<const std::uint8_t>& bytes,
                         bool& there) {
    if (!there) {
      std::filesystem::remove(file.path());
      return;
    }
    std::size_t end = 0;
    while (end < bytes.size() && bytes[end] != 0) ++end;
    file.write(bytes.first(end));
    there = end < bytes.size();
    bytes = bytes.subspan(there ? end + 1 : end);
  }

  FuzzedFile modules_{"modules.json"};
  std::array<std::unique_ptr<FuzzedFile>, 5> others_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Directory directory;
  directory.write({data, size});
  try {
    const auto settings = cloze::sentence_settings(directory.path());
    if (settings) {
      if (settings->poolings.empty()) std::abort();
      if (settings->max_seq_length && *settings->max_seq_length < 1) std::abort();
      if (settings->truncate_dim && *settings->truncate_dim < 1) std::abort();
      for (const auto& step : settings->steps) {
        if (step.kind == cloze::SentenceStep::Kind::dense) {
          static_cast<void>(cloze::read_dense(step.directory));  // there are no weights
          std::abort();
        }
      }
    }
  } catch (const cloze::Error&) {
  }
  try {
    static_cast<void>(cloze::transformer_directory(directory.path()));
  } catch (const cloze::Error&) {
  }
  try {
    static_cast<void>(cloze::ranking_settings(directory.path(), cloze::BertConfig{}));
  } catch (const cloze::Error&) {
  }
  return 0;
}
