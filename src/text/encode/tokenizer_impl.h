/// \file
/// What a Tokenizer holds.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cloze/tokenizer.h"
#include "text/encode/pipeline.h"
#include "text/files/tokenizer_files.h"

namespace cloze {

struct Tokenizer::Impl {
  Impl(text::TokenizerSpec from, const std::string& origin)
      : spec(std::move(from)),
        cls_id(*spec.vocabulary.id_of(spec.cls_token)),
        sep_id(*spec.vocabulary.id_of(spec.sep_token)),
        pad_id(spec.vocabulary.id_of(spec.pad_token)),
        mask_id(spec.vocabulary.id_of(spec.mask_token)),
        pipeline(take_model(spec, origin), spec.added) {
    for (const auto& token : spec.added) {
      decoded_added.push_back(
          token.normalized && pipeline.model().normalizes_added_tokens()
              ? pipeline.model().normalize(token.content, 0, OffsetUnit::bytes).bytes
              : token.content);
    }
  }

  /// By the rules of `mode`. `origin` begins the messages. Throws FormatError.
  [[nodiscard]] static std::shared_ptr<const Impl> make(text::TokenizerSpec spec,
                                                        TokenizerMode mode,
                                                        const std::string& origin);

  [[nodiscard]] const text::Vocabulary& vocabulary() const { return pipeline.model().vocabulary(); }

  text::TokenizerSpec spec;  // its vocabulary has moved into the pipeline
  std::int32_t cls_id, sep_id;
  std::optional<std::int32_t> pad_id, mask_id;
  text::Pipeline pipeline;
  std::vector<std::string> decoded_added;  ///< what the tokens of `spec.added` read in decoded text

 private:
  static text::TextModel take_model(text::TokenizerSpec& spec, const std::string& origin) {
    if (spec.unigram) return text::UnigramModel(std::move(spec.vocabulary), *spec.unigram);
    const auto unk = *spec.vocabulary.id_of(spec.unk_token);
    if (spec.japanese) {
      return text::JapaneseModel(std::move(spec.vocabulary), *spec.japanese, unk,
                                 spec.base_vocab_size, origin);
    }
    return text::WordPieceModel(std::move(spec.vocabulary), spec.rules, unk,
                                spec.max_chars_per_word);
  }
};

}  // namespace cloze
