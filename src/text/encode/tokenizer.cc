#include "cloze/tokenizer.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"
#include "text/encode/assemble.h"
#include "text/encode/decode.h"
#include "text/encode/needed_pieces.h"
#include "text/encode/packer.h"
#include "text/encode/tokenizer_impl.h"
#include "text/japanese/dictionary.h"

namespace cloze {
namespace {

// google-research/bert: WordpieceTokenizer's limit, and its own order of lower-casing.
constexpr std::int32_t kGoogleMaxChars = 200;

text::TokenizerSpec in_mode(text::TokenizerSpec spec, TokenizerMode mode,
                            const std::string& origin) {
  if (mode == TokenizerMode::google && (spec.unigram || spec.japanese)) {
    throw ModelError(
        fmt::format("{}: the mode google is that of google-research/bert's WordPiece tokenizer, "
                    "and this one is {}; leave the mode out",
                    origin, spec.unigram ? "a Unigram model" : "a BertJapaneseTokenizer"));
  }
  if (mode == TokenizerMode::google) {
    const bool lower = spec.rules.lowercase;
    spec.rules = {.google = true, .strip_accents = lower, .lowercase = lower};
    spec.max_chars_per_word = kGoogleMaxChars;
  }
  return spec;
}

text::Pieces pieces_of_words(const text::Pipeline& pipeline, Words words, OffsetUnit unit) {
  text::Pieces pieces;
  std::int32_t index = 0;
  for (const auto word : words) pipeline.pieces_of_word(word, unit, pieces, index++);
  return pieces;
}

}  // namespace

std::shared_ptr<const Tokenizer::Impl> Tokenizer::Impl::make(text::TokenizerSpec spec,
                                                             TokenizerMode mode,
                                                             const std::string& origin) {
  try {
    return std::make_shared<const Impl>(in_mode(std::move(spec), mode, origin), origin);
  } catch (const ArgumentError& error) {  // added tokens that contradict each other
    throw FormatError(fmt::format("{}: {}", origin, error.what()));
  }
}

Tokenizer::Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Tokenizer Tokenizer::from_directory(const std::filesystem::path& directory,
                                    const TokenizerSource& source) {
  return Tokenizer(Impl::make(text::read_tokenizer(directory, source.dictionary), source.mode,
                              directory.string()));
}

Tokenizer Tokenizer::from_vocabulary(std::span<const std::string> tokens,
                                     const TokenizerOptions& options) {
  const std::string origin = "the given tokens";
  auto spec = text::tokenizer_of(text::vocabulary_of(tokens), options, origin);
  return Tokenizer(Impl::make(std::move(spec), options.mode, origin));
}

Tokenizer Tokenizer::from_vocabulary_file(const std::filesystem::path& file,
                                          const TokenizerOptions& options) {
  auto spec = text::tokenizer_of(text::read_vocab_txt(file), options, file.string());
  return Tokenizer(Impl::make(std::move(spec), options.mode, file.string()));
}

Tokenizer Tokenizer::from_json(std::string_view tokenizer_json,
                               std::string_view tokenizer_config_json, TokenizerMode mode) {
  return from_json(tokenizer_json, tokenizer_config_json, TokenizerSource{.mode = mode});
}

Tokenizer Tokenizer::from_json(std::string_view tokenizer_json,
                               std::string_view tokenizer_config_json,
                               const TokenizerSource& source) {
  auto spec = text::parse_tokenizer(tokenizer_json, tokenizer_config_json, source.dictionary);
  return Tokenizer(Impl::make(std::move(spec), source.mode, "tokenizer.json"));
}

Batch Tokenizer::operator()(std::string_view text) const {
  Batch batch;
  append_to(batch, text);
  return batch;
}

Batch Tokenizer::operator()(std::string_view text, std::string_view pair) const {
  Batch batch;
  append_to(batch, text, pair);
  return batch;
}

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  const auto& single = impl_->spec.templates.single;
  const auto added = options.add_special_tokens ? text::special_tokens(single) : 0;
  const auto limit = options.overflowing ? text::kAllPieces : text::pieces_needed(options, added);
  text::Pieces pieces;
  impl_->pipeline.pieces(text, options.offsets, pieces, limit);
  return text::assemble(impl_->vocabulary(), impl_->spec.templates, options, pieces, nullptr);
}

Encoding Tokenizer::encode(std::string_view text, std::string_view pair,
                           const EncodeOptions& options) const {
  text::Pieces first;
  text::Pieces second;
  const auto make = [&](std::size_t limit) {
    first = {};
    second = {};
    impl_->pipeline.pieces(text, options.offsets, first, limit);
    impl_->pipeline.pieces(pair, options.offsets, second, limit);
    return text::KeptLengths{first.ids.size(), second.ids.size()};
  };
  if (options.overflowing) {
    make(text::kAllPieces);
  } else {
    const auto& both = impl_->spec.templates.pair;
    const auto added = options.add_special_tokens ? text::special_tokens(both) : 0;
    text::make_needed_pieces(options, added, make);
  }
  return text::assemble(impl_->vocabulary(), impl_->spec.templates, options, first, &second);
}

Encoding Tokenizer::encode_words(Words words, const EncodeOptions& options) const {
  const auto pieces = pieces_of_words(impl_->pipeline, words, options.offsets);
  return text::assemble(impl_->vocabulary(), impl_->spec.templates, options, pieces, nullptr);
}

Encoding Tokenizer::encode_words(Words words, Words pair, const EncodeOptions& options) const {
  const auto first = pieces_of_words(impl_->pipeline, words, options.offsets);
  const auto second = pieces_of_words(impl_->pipeline, pair, options.offsets);
  return text::assemble(impl_->vocabulary(), impl_->spec.templates, options, first, &second);
}

std::int32_t Tokenizer::append_to(Batch& batch, std::string_view text,
                                  const EncodeOptions& options) const {
  return text::append(impl_->pipeline, impl_->spec.templates, options, text, std::nullopt, batch,
                      nullptr);
}

std::int32_t Tokenizer::append_to(Batch& batch, std::string_view text, std::string_view pair,
                                  const EncodeOptions& options) const {
  return text::append(impl_->pipeline, impl_->spec.templates, options, text, pair, batch, nullptr);
}

std::int32_t Tokenizer::append_to(Batch& batch, Alignment& alignment, std::string_view text,
                                  const EncodeOptions& options) const {
  return text::append(impl_->pipeline, impl_->spec.templates, options, text, std::nullopt, batch,
                      &alignment);
}

std::int32_t Tokenizer::append_to(Batch& batch, Alignment& alignment, std::string_view text,
                                  std::string_view pair, const EncodeOptions& options) const {
  return text::append(impl_->pipeline, impl_->spec.templates, options, text, pair, batch,
                      &alignment);
}

std::int64_t Tokenizer::count_tokens(std::string_view text) const {
  const auto pieces = static_cast<std::int64_t>(impl_->pipeline.count(text));
  return pieces + text::special_tokens(impl_->spec.templates.single);
}

std::int64_t Tokenizer::count_tokens(std::string_view text, std::string_view pair) const {
  const auto pieces =
      static_cast<std::int64_t>(impl_->pipeline.count(text) + impl_->pipeline.count(pair));
  return pieces + text::special_tokens(impl_->spec.templates.pair);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens,
                              std::optional<bool> clean_up) const {
  // They are in order of id.
  const auto place_of = [&added = impl_->spec.added](std::int32_t id) {
    const auto at = std::lower_bound(
        added.begin(), added.end(), id,
        [](const text::AddedToken& token, std::int32_t wanted) { return token.id < wanted; });
    return at != added.end() && at->id == id ? static_cast<std::size_t>(at - added.begin())
                                             : added.size();
  };
  std::vector<std::string_view> tokens;
  for (const auto id : ids) {
    const auto token = id_to_token(id);
    if (!impl_->vocabulary().has_id(id)) continue;
    const auto place = place_of(id);
    if (place == impl_->spec.added.size()) {
      tokens.push_back(token);
    } else if (!skip_special_tokens || !impl_->spec.added[place].special) {
      tokens.emplace_back(impl_->decoded_added[place]);
    }
  }
  const bool clean = clean_up.value_or(impl_->spec.clean_up_spaces);
  if (impl_->spec.unigram) {
    const auto& decoder = impl_->spec.decoder;
    return text::decode_unigram(tokens, decoder ? decoder->replacement : "",
                                decoder && decoder->prepend != text::PrependScheme::never, clean);
  }
  return text::decode_pieces(tokens, impl_->vocabulary().continuing_prefix(),
                             impl_->spec.decoder_cleanup, clean);
}

std::string Tokenizer::tokens_to_text(std::span<const std::string_view> tokens) const {
  const auto& spec = impl_->spec;
  if (spec.unigram) {
    const auto& decoder = spec.decoder;
    return text::decode_unigram(tokens, decoder ? decoder->replacement : "",
                                decoder && decoder->prepend != text::PrependScheme::never, false);
  }
  return text::decode_pieces(tokens, impl_->vocabulary().continuing_prefix(), spec.decoder_cleanup,
                             false);
}

TokenizerModel Tokenizer::model() const {
  if (impl_->spec.unigram) return TokenizerModel::unigram;
  if (!impl_->spec.japanese) return TokenizerModel::word_piece;
  switch (impl_->spec.japanese->subwords) {
    case text::SubwordTokenizer::wordpiece:
      return TokenizerModel::word_piece;
    case text::SubwordTokenizer::character:
      return TokenizerModel::characters;
    default:
      return TokenizerModel::words;
  }
}

std::optional<JapaneseWords> Tokenizer::japanese() const {
  const auto& rules = impl_->spec.japanese;
  if (!rules) return std::nullopt;
  JapaneseWords words{
      .word_tokenizer = rules->do_word_tokenize ? rules->word_tokenizer_type : "none",
      .subword_tokenizer = rules->do_subword_tokenize ? rules->subword_tokenizer_type : "none"};
  if (const auto& mecab = impl_->pipeline.model().japanese()->mecab) {
    // What the user gave in place of what nothing states may be any.
    const bool named = rules->mecab.stated || mecab->decided_by() == text::kDecidedByDefault;
    if (named) words.dictionary_name = rules->mecab.name;
    words.name_is_stated = rules->mecab.stated;
    words.dictionary = mecab->dictionary().directory;
    words.decided_by = mecab->decided_by();
  }
  return words;
}

bool Tokenizer::continues_word(std::int32_t id) const {
  const auto token = id_to_token(id);
  if (!impl_->spec.unigram) {
    const std::string_view prefix = impl_->vocabulary().continuing_prefix();
    return model() == TokenizerModel::word_piece && token.size() > prefix.size() &&
           token.starts_with(prefix);
  }
  const auto& rules = *impl_->spec.unigram;
  const bool is_piece = id < impl_->spec.base_vocab_size && id != rules.unk_id &&
                        std::none_of(impl_->spec.added.begin(), impl_->spec.added.end(),
                                     [id](const auto& added) { return added.id == id; });
  return is_piece && rules.metaspace && !token.starts_with(rules.metaspace->replacement);
}

std::int32_t Tokenizer::vocab_size() const { return impl_->vocabulary().size(); }

std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
  return impl_->vocabulary().id_of(token);
}

std::string_view Tokenizer::id_to_token(std::int32_t id) const {
  const auto& vocabulary = impl_->vocabulary();
  if (id < 0 || id >= vocabulary.size()) {
    throw ArgumentError(
        fmt::format("no token has id {}; the vocabulary has ids 0 to {}", id, vocab_size() - 1));
  }
  return vocabulary.has_id(id) ? vocabulary.token(id) : std::string_view();
}

std::int32_t Tokenizer::cls_token_id() const { return impl_->cls_id; }
std::int32_t Tokenizer::sep_token_id() const { return impl_->sep_id; }

std::int32_t Tokenizer::pad_token_id() const {
  if (!impl_->pad_id) {
    throw ModelError(
        fmt::format("the vocabulary has no padding token {}; name another as "
                    "pad_token in tokenizer_config.json",
                    in_quotes(impl_->spec.pad_token)));
  }
  return *impl_->pad_id;
}

std::int32_t Tokenizer::unk_token_id() const { return impl_->pipeline.model().unk_id(); }
std::optional<std::int32_t> Tokenizer::mask_token_id() const { return impl_->mask_id; }

std::optional<std::int64_t> Tokenizer::model_max_length() const {
  return impl_->spec.model_max_length;
}

bool Tokenizer::gives_token_types() const { return impl_->spec.gives_types; }

bool Tokenizer::do_lower_case() const {
  if (!impl_->spec.unigram) return impl_->spec.rules.lowercase;
  const auto& steps = impl_->spec.unigram->steps;
  return std::any_of(steps.begin(), steps.end(), [](const auto& step) {
    return std::holds_alternative<text::LowercaseStep>(step);
  });
}

}  // namespace cloze
