/// \file
/// The BERT tokenizer: text → WordPiece ids with offsets, exactly as Hugging Face's fast BERT
/// tokenizer does it (or, in `google` mode, as google-research/bert's tokenization.py does), in one
/// pass over the text; XLM-RoBERTa's, with which multilingual BERT models are read: text → pieces
/// of a SentencePiece Unigram model; and BertJapaneseTokenizer: text → MeCab's words → pieces.
/// docs/tokenizer.md says how exact, how fast, and what is different.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/batch.h"

#pragma GCC visibility push(default)
namespace cloze {

/// A half-open range of the original text.
struct Span {
  std::int32_t begin = 0;
  std::int32_t end = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

/// One tokenized text or pair: everything Hugging Face's `Encoding` says. All vectors have one
/// element a token.
struct Encoding {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> type_ids;
  std::vector<std::string> tokens;
  std::vector<Span> offsets;  ///< into the text the token came from; (0, 0) for special tokens
  std::vector<std::uint8_t> special_tokens_mask;  ///< 1 for tokens that the template added
  std::vector<std::int32_t> word_ids;  ///< index of the pre-tokenized word, -1 for special tokens
  std::vector<std::int32_t> sequence_ids;    ///< 0 first text, 1 second, -1 special tokens
  std::vector<std::uint8_t> attention_mask;  ///< 0 where padding was asked for
  std::vector<Encoding> overflowing;         ///< the further windows that truncation cut off
};

/// For each token of a packed Batch where it came from: filled in parallel to `input_ids`.
struct Alignment {
  std::vector<Span> offsets;           ///< [total_tokens], as in Encoding
  std::vector<std::int32_t> word_ids;  ///< [total_tokens], as in Encoding

  /// Empties it; the memory is kept.
  void clear() {
    offsets.clear();
    word_ids.clear();
  }
};

/// Whose rules words are cut by.
enum class TokenizerMode : std::uint8_t {
  hf,     ///< Hugging Face's fast BERT tokenizer
  google  ///< google-research/bert's tokenization.py: its Unicode rules (Python's), final sigma,
          ///< words of up to 200 characters, no special tokens inside text
};
/// How words are cut into pieces.
enum class TokenizerModel : std::uint8_t {
  word_piece,  ///< the longest pieces from the left: BERT's
  unigram,     ///< the likeliest pieces: SentencePiece's, as XLM-RoBERTa has it
  characters,  ///< each character: BertJapaneseTokenizer's subword_tokenizer_type "character"
  words        ///< not at all: its do_subword_tokenize false
};
/// What a tokenizer is read from besides its files.
struct TokenizerSource {
  TokenizerMode mode = TokenizerMode::hf;
  /// The directory of MeCab's dictionary, for a BertJapaneseTokenizer; empty:
  /// $CLOZE_MECAB_DICTIONARY, or else where the system has the one that the files name. Other
  /// tokenizers do without.
  std::filesystem::path dictionary{};
};

/// How a BertJapaneseTokenizer comes to its words.
struct JapaneseWords {
  std::string word_tokenizer;     ///< "mecab", "basic" or "none"
  std::string subword_tokenizer;  ///< "wordpiece", "character" or "none"
  std::string
      dictionary_name{};        ///< of MeCab's dictionary: "ipadic", "unidic_lite", "unidic", or ""
  bool name_is_stated = false;  ///< whether the files state it
  std::filesystem::path dictionary{};  ///< its directory; empty where MeCab is not used
  std::string decided_by{};            ///< what named the directory: "mecab_dic", ...
};

/// Which text of a pair gives way when both are too long together.
enum class Truncation : std::uint8_t { none, longest_first, only_first, only_second };
/// What `Encoding::offsets` count.
enum class OffsetUnit : std::uint8_t { code_points, bytes };

/// An end of a text.
enum class Side : std::uint8_t { left, right };

/// How a text or pair is encoded.
struct EncodeOptions {
  bool add_special_tokens = true;
  Truncation truncation = Truncation::none;
  std::int32_t max_length = 512;  ///< tokens, special ones included; used when truncating
  std::int32_t stride = 0;        ///< tokens shared by neighbouring overflow windows
  OffsetUnit offsets = OffsetUnit::code_points;
  /// Whether an Encoding keeps what is cut off, as its `overflowing` windows. Without them a long
  /// text is read only as far as it is kept.
  bool overflowing = true;
  /// The end at which a text that is too long loses tokens. At the left, the last tokens stay, and the
  /// `overflowing` windows go from the end to the begin; the whole text is read.
  Side truncation_side = Side::right;
};

/// How a batch is made rectangular.
struct PaddingOptions {
  std::int32_t length = 0;       ///< pad to this; 0: to the longest of the batch
  std::int32_t multiple_of = 0;  ///< round the length up to a multiple of this; 0: do not
  Side side = Side::right;
};

/// A first text and its second.
struct TextPair {
  std::string_view first, second;
};

/// The words of a text that was split before.
using Words = std::span<const std::string_view>;

/// The tokens that have a part of their own in a BERT's input.
struct SpecialTokens {
  std::string unk = "[UNK]";    ///< for words that the vocabulary cannot spell
  std::string sep = "[SEP]";    ///< after each text
  std::string pad = "[PAD]";    ///< fills a rectangle; may be missing
  std::string cls = "[CLS]";    ///< before the first text
  std::string mask = "[MASK]";  ///< hides a token; may be missing
};

/// How a tokenizer that is made from a vocabulary reads text: what tokenizer_config.json says of
/// one that is read from files. The defaults are those of an uncased BERT.
struct TokenizerOptions {
  bool lowercase = true;                           ///< do_lower_case
  std::optional<bool> strip_accents{};             ///< none: as `lowercase`
  bool tokenize_chinese_chars = true;              ///< each CJK character is a word
  std::optional<std::int64_t> model_max_length{};  ///< none: not stated
  SpecialTokens special_tokens{};
  TokenizerMode mode = TokenizerMode::hf;
};

/// Immutable after construction; safe to use from many threads. `num_threads()`, which some members
/// work on, is in cloze/threads.h.
class Tokenizer {
 public:
  /// Reads `tokenizer.json`, or `vocab.txt`, or `sentencepiece.bpe.model`, with
  /// `tokenizer_config.json` where present, as transformers does. `tokenizer_class` decides:
  /// BertTokenizer (or none) takes do_lower_case, strip_accents and tokenize_chinese_chars from
  /// tokenizer_config.json, or its own defaults (true, none, true) where they are not stated, and
  /// of tokenizer.json the vocabulary alone; PreTrainedTokenizerFast takes tokenizer.json as it
  /// stands, with a WordPiece or a Unigram model; XLMRobertaTokenizer takes the pieces and the
  /// character map of tokenizer.json or of the SentencePiece model, and `add_prefix_space` of
  /// tokenizer_config.json; BertJapaneseTokenizer takes `vocab.txt` and what tokenizer_config.json
  /// says of words, and opens MeCab where that is how it finds them. Truncation and padding that
  /// tokenizer.json may hold are not applied. `directory_or_name` is a directory, or the name of a
  /// model as `find_model` takes it (hub.h). Throws IoError, FormatError (which file, line, what),
  /// ModelError (not a BERT tokenizer, or a class that cuts text in another way; a dictionary of
  /// MeCab that is not there or not the one that the files name), Error (no library MeCab).
  [[nodiscard]] static Tokenizer from_pretrained(const std::filesystem::path& directory_or_name,
                                                 TokenizerMode mode = TokenizerMode::hf);
  [[nodiscard]] static Tokenizer from_pretrained(const std::filesystem::path& directory_or_name,
                                                 const TokenizerSource& source);

  /// The tokenizer of a vocabulary; a token's id is its place. Throws ArgumentError for a token
  /// that is there twice or is not UTF-8, and FormatError for a vocabulary without the special
  /// tokens that every BERT needs (unk, cls, sep).
  [[nodiscard]] static Tokenizer from_vocabulary(std::span<const std::string> tokens,
                                                 const TokenizerOptions& options = {});

  /// The same from a file such as `vocab.txt`: one token a line, without white space at the line's
  /// end. Throws IoError, FormatError (which line, what).
  [[nodiscard]] static Tokenizer from_vocabulary_file(const std::filesystem::path& file,
                                                      const TokenizerOptions& options = {});

  /// The tokenizer that the text of a `tokenizer.json` describes, with that of its
  /// `tokenizer_config.json` where it has one: as from_pretrained reads them. Without the latter,
  /// tokenizer.json counts as it stands. Throws FormatError, ModelError.
  [[nodiscard]] static Tokenizer from_json(std::string_view tokenizer_json,
                                           std::string_view tokenizer_config_json = {},
                                           TokenizerMode mode = TokenizerMode::hf);
  [[nodiscard]] static Tokenizer from_json(std::string_view tokenizer_json,
                                           std::string_view tokenizer_config_json,
                                           const TokenizerSource& source);

  /// The texts of `tokenizer.json` and `tokenizer_config.json` as save_pretrained writes them:
  /// `from_json(a.to_json(), a.config_to_json())` is the same tokenizer again. Of a
  /// BertJapaneseTokenizer the first has the vocabulary alone, and is not among the saved files.
  [[nodiscard]] std::string to_json() const;
  [[nodiscard]] std::string config_to_json() const;

  /// The packed batch of one text (or pair), ready for a model.
  [[nodiscard]] Batch operator()(std::string_view text) const;
  [[nodiscard]] Batch operator()(std::string_view text, std::string_view pair) const;

  /// Everything there is to know about a text (or pair). Throws ArgumentError for options that
  /// cannot be kept (no room in `max_length`, a stride as wide as the window) and for texts over
  /// 1 GiB. Invalid UTF-8 counts as U+FFFD, one for each maximal subpart (Python's
  /// errors="replace"); offsets refer to the text as it was given.
  [[nodiscard]] Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  [[nodiscard]] Encoding encode(std::string_view text, std::string_view pair,
                                const EncodeOptions& options = {}) const;

  /// The same for texts that are split into words already: `word_ids` are indices into `words`, and
  /// offsets refer to the single word.
  [[nodiscard]] Encoding encode_words(Words words, const EncodeOptions& options = {}) const;
  [[nodiscard]] Encoding encode_words(Words words, Words pair,
                                      const EncodeOptions& options = {}) const;

  /// `encode` of each text, on `num_threads()` threads.
  [[nodiscard]] std::vector<Encoding> encode_batch(std::span<const std::string_view> texts,
                                                   const EncodeOptions& options = {}) const;
  [[nodiscard]] std::vector<Encoding> encode_batch(std::span<const TextPair> pairs,
                                                   const EncodeOptions& options = {}) const;

  /// Makes the encodings, overflowing ones included, equally long. Longer ones than
  /// `options.length` stay as they are. Throws ModelError without a padding token.
  void pad(std::span<Encoding> encodings, const PaddingOptions& options = {}) const;

  /// Appends a text (or pair) to `batch` as one sequence and returns its length: the fastest way
  /// into a model. Truncates as `options` say; `stride` means nothing here. Throws ArgumentError as
  /// `encode`, and then leaves the batch as it was.
  std::int32_t append_to(Batch& batch, std::string_view text,
                         const EncodeOptions& options = {}) const;
  std::int32_t append_to(Batch& batch, std::string_view text, std::string_view pair,
                         const EncodeOptions& options = {}) const;
  /// The same, and where each token came from.
  std::int32_t append_to(Batch& batch, Alignment& alignment, std::string_view text,
                         const EncodeOptions& options = {}) const;
  std::int32_t append_to(Batch& batch, Alignment& alignment, std::string_view text,
                         std::string_view pair, const EncodeOptions& options = {}) const;

  /// All texts as one packed batch, made on `num_threads()` threads; `alignment` is filled unless
  /// it is null.
  [[nodiscard]] Batch pack(std::span<const std::string_view> texts,
                           const EncodeOptions& options = {}, Alignment* alignment = nullptr) const;
  [[nodiscard]] Batch pack(std::span<const TextPair> pairs, const EncodeOptions& options = {},
                           Alignment* alignment = nullptr) const;

  /// The tokens of a text (or pair), special ones included, counted without keeping them: memory
  /// does not grow with the text. Throws ArgumentError for texts over 1 GiB.
  [[nodiscard]] std::int64_t count_tokens(std::string_view text) const;
  [[nodiscard]] std::int64_t count_tokens(std::string_view text, std::string_view pair) const;

  /// Writes `tokenizer.json` (of a BertJapaneseTokenizer not), `vocab.txt` (but of a Unigram model)
  /// and `tokenizer_config.json` into `directory` (made if it is not there), as transformers reads
  /// them. Throws IoError.
  void save_pretrained(const std::filesystem::path& directory) const;

  /// Text of `ids`: "##" pieces joined, and (with `clean_up`) spaces before punctuation removed as
  /// transformers' `clean_up_tokenization_spaces` does; without a value as the tokenizer's files
  /// say (no, where they say nothing). Ids that no token has are left out. Throws ArgumentError for
  /// an id out of range.
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids,
                                   bool skip_special_tokens = true,
                                   std::optional<bool> clean_up = std::nullopt) const;

  /// The same of tokens, added ones as they stand: what the decoder alone makes of them.
  [[nodiscard]] std::string tokens_to_text(std::span<const std::string_view> tokens) const;

  /// Which kind of model cuts words into pieces.
  [[nodiscard]] TokenizerModel model() const;
  /// How a BertJapaneseTokenizer finds words; nothing for another.
  [[nodiscard]] std::optional<JapaneseWords> japanese() const;
  /// Whether a model gets the types that an Encoding has. One of DistilBERT's or XLM-RoBERTa's
  /// kind, and one whose `model_input_names` has no token_type_ids, gives it none: then all are 0.
  [[nodiscard]] bool gives_token_types() const;

  /// Whether a token goes on with the word of the token before: "##ing" of a WordPiece model, and
  /// of a Unigram model a piece that does not begin with "▁"; of characters and words none does.
  /// Throws ArgumentError for an id out of range.
  [[nodiscard]] bool continues_word(std::int32_t id) const;

  /// Ids are below this: the vocabulary and added tokens.
  [[nodiscard]] std::int32_t vocab_size() const;
  [[nodiscard]] std::optional<std::int32_t> token_to_id(std::string_view token) const;
  /// Empty for an id that no token has, such as a blank line's of vocab.txt. Throws ArgumentError
  /// for an id out of range.
  [[nodiscard]] std::string_view id_to_token(std::int32_t id) const;

  [[nodiscard]] std::int32_t cls_token_id() const;
  [[nodiscard]] std::int32_t sep_token_id() const;
  /// Throws ModelError when the vocabulary has no padding token.
  [[nodiscard]] std::int32_t pad_token_id() const;
  [[nodiscard]] std::int32_t unk_token_id() const;
  /// Absent in vocabularies that have no mask token.
  [[nodiscard]] std::optional<std::int32_t> mask_token_id() const;
  /// `model_max_length` of tokenizer_config.json; absent when it states none (or transformers'
  /// 1e30).
  [[nodiscard]] std::optional<std::int64_t> model_max_length() const;
  [[nodiscard]] bool do_lower_case() const;

 private:
  struct [[gnu::visibility("hidden")]] Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl);
  [[nodiscard]] static Tokenizer from_directory(const std::filesystem::path& directory,
                                                const TokenizerSource& source);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace cloze

#pragma GCC visibility pop
