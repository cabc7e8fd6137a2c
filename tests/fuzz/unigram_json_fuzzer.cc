// Any bytes as the tokenizer.json of a Unigram tokenizer, read as each class that reads it: a tokenizer
// that what it saves is the same as, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cloze/error.h"
#include "cloze/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  for (const auto* config : {R"({"tokenizer_class":"PreTrainedTokenizerFast"})",
                             R"({"tokenizer_class":"XLMRobertaTokenizer"})"}) {
    try {
      const auto tokenizer = cloze::Tokenizer::from_json(json, config);
      const auto encoding = tokenizer.encode("a <mask>  b\u00E9\u6771\u0301\r\n", "\x01 ab");
      (void)tokenizer.decode(encoding.ids);
      const auto saved =
          cloze::Tokenizer::from_json(tokenizer.to_json(), tokenizer.config_to_json());
      if (saved.encode("ab \u6771").ids != tokenizer.encode("ab \u6771").ids) std::abort();
    } catch (const cloze::Error&) {  // as it should be
    }
  }
  return 0;
}
