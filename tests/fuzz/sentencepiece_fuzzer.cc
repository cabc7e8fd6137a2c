// Any bytes as sentencepiece.bpe.model: a tokenizer, or an Error.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "cloze/error.h"
#include "fuzz/fuzzed_file.h"
#include "text/files/sentencepiece_file.h"
#include "text/unigram/segmenter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const cloze::testing::FuzzedFile file("sentencepiece.bpe.model");
  file.write(std::span(data, size));
  try {
    cloze::text::TokenizerSpec spec;
    cloze::text::read_sentencepiece(file.path(), {}, spec);
    const cloze::text::UnigramModel model(std::move(spec.vocabulary), *spec.unigram);
    std::vector<std::int32_t> ids;
    cloze::text::PieceSink sink{.ids = &ids};
    cloze::text::segment(model, "a b\u00E9\u6771\u0301\r\n \x01", 0, cloze::OffsetUnit::bytes,
                         sink);
  } catch (const cloze::Error&) {  // as it should be
  }
  return 0;
}
