#include "cloze/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "cloze/error.h"
#include "text/assemble.h"
#include "text/decode.h"
#include "text/pipeline.h"
#include "text/tokenizer_files.h"

namespace cloze {
namespace {

// google-research/bert: WordpieceTokenizer's limit, and its own order of lower-casing.
constexpr std::int32_t kGoogleMaxChars = 200;

text::TokenizerSpec in_mode(text::TokenizerSpec spec, TokenizerMode mode) {
  if (mode == TokenizerMode::google) {
    const bool lower = spec.rules.lowercase;
    spec.rules = {.google = true, .strip_accents = lower, .lowercase = lower};
    spec.max_chars_per_word = kGoogleMaxChars;
  }
  return spec;
}

text::Model model_of(text::TokenizerSpec& spec) {
  const auto unk = *spec.vocabulary.id_of(spec.unk_token);
  return {std::move(spec.vocabulary), spec.rules, unk, spec.max_chars_per_word};
}

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(text::TokenizerSpec from)
      : spec(std::move(from)),
        cls_id(*spec.vocabulary.id_of(spec.cls_token)),
        sep_id(*spec.vocabulary.id_of(spec.sep_token)),
        pad_id(spec.vocabulary.id_of(spec.pad_token)),
        mask_id(spec.vocabulary.id_of(spec.mask_token)),
        pipeline(model_of(spec), spec.added) {}

  [[nodiscard]] const text::Vocabulary& vocabulary() const { return pipeline.model().vocabulary; }

  text::TokenizerSpec spec;  // its vocabulary has moved into the pipeline
  std::int32_t cls_id, sep_id;
  std::optional<std::int32_t> pad_id, mask_id;
  text::Pipeline pipeline;
};

Tokenizer::Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Tokenizer Tokenizer::from_pretrained(const std::filesystem::path& directory, TokenizerMode mode) {
  auto spec = in_mode(text::read_tokenizer(directory), mode);
  try {
    return Tokenizer(std::make_shared<const Impl>(std::move(spec)));
  } catch (const ArgumentError& error) {  // added tokens that contradict each other
    throw FormatError(fmt::format("{}: {}", directory.string(), error.what()));
  }
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

namespace {

// Appends what a template makes of the sequences' ids to the batch.
class Packer {
 public:
  Packer(Batch& batch, bool add_special) : batch_(batch), add_special_(add_special) {}

  void operator()(const text::Template& pieces,
                  std::initializer_list<std::span<const std::int32_t>> sequences) {
    for (const auto& piece : pieces) {
      if (piece.sequence >= 0) {
        append(sequences.begin()[piece.sequence], piece.type_id);
      } else if (add_special_) {
        append(piece.ids, piece.type_id);
      }
    }
  }

 private:
  void append(std::span<const std::int32_t> ids, std::int32_t type_id) {
    batch_.input_ids.insert(batch_.input_ids.end(), ids.begin(), ids.end());
    batch_.token_type_ids.resize(batch_.input_ids.size(), type_id);
  }

  Batch& batch_;
  bool add_special_;
};

std::int32_t finish_sequence(Batch& batch) {
  const std::size_t begin = batch.position_ids.size();
  const std::size_t end = batch.input_ids.size();
  batch.position_ids.resize(end);
  std::int32_t position = 0;
  std::generate(batch.position_ids.begin() + static_cast<std::ptrdiff_t>(begin),
                batch.position_ids.end(), [&position] { return position++; });
  batch.cu_seqlens.push_back(static_cast<std::int32_t>(end));
  return static_cast<std::int32_t>(end - begin);
}

}  // namespace

std::int32_t Tokenizer::append_to(Batch& batch, std::string_view text,
                                  const EncodeOptions& options) const {
  const auto& pieces = impl_->spec.templates.single;
  const auto added = options.add_special_tokens ? text::special_tokens(pieces) : 0;
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  if (options.truncation == Truncation::longest_first && options.max_length >= added) {
    limit = static_cast<std::size_t>(options.max_length - added) + 1;
  }
  std::vector<std::int32_t> ids;
  impl_->pipeline.ids(text, ids, limit);
  ids.resize(text::truncate(options, ids.size(), 0, false, added).first);
  Packer(batch, options.add_special_tokens)(pieces, {ids});
  return finish_sequence(batch);
}

std::int32_t Tokenizer::append_to(Batch& batch, std::string_view text, std::string_view pair,
                                  const EncodeOptions& options) const {
  const auto& pieces = impl_->spec.templates.pair;
  const auto added = options.add_special_tokens ? text::special_tokens(pieces) : 0;
  constexpr auto kNoLimit = std::numeric_limits<std::size_t>::max();
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> second;
  impl_->pipeline.ids(text, first, kNoLimit);
  impl_->pipeline.ids(pair, second, kNoLimit);
  const auto kept = text::truncate(options, first.size(), second.size(), true, added);
  first.resize(kept.first);
  second.resize(kept.second);
  Packer(batch, options.add_special_tokens)(pieces, {first, second});
  return finish_sequence(batch);
}

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  text::Pieces pieces;
  impl_->pipeline.pieces(text, options.offsets, pieces);
  return text::assemble(impl_->vocabulary(), impl_->spec.templates, options, pieces, nullptr);
}

Encoding Tokenizer::encode(std::string_view text, std::string_view pair,
                           const EncodeOptions& options) const {
  text::Pieces first;
  text::Pieces second;
  impl_->pipeline.pieces(text, options.offsets, first);
  impl_->pipeline.pieces(pair, options.offsets, second);
  return text::assemble(impl_->vocabulary(), impl_->spec.templates, options, first, &second);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens,
                              bool clean_up) const {
  std::vector<std::string_view> tokens;
  for (const auto id : ids) {
    const auto token = id_to_token(id);
    const auto special = std::any_of(
        impl_->spec.added.begin(), impl_->spec.added.end(),
        [id](const text::AddedToken& added) { return added.special && added.id == id; });
    if (!skip_special_tokens || !special) tokens.push_back(token);
  }
  return text::decode_pieces(tokens, impl_->vocabulary().continuing_prefix(),
                             impl_->spec.decoder_cleanup, clean_up);
}

std::int32_t Tokenizer::vocab_size() const { return impl_->vocabulary().size(); }

std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
  return impl_->vocabulary().id_of(token);
}

std::string_view Tokenizer::id_to_token(std::int32_t id) const {
  if (!impl_->vocabulary().has_id(id)) {
    throw ArgumentError(fmt::format("no token has id {}; the vocabulary has ids 0 to {}", id,
                                    vocab_size() - 1));
  }
  return impl_->vocabulary().token(id);
}

std::int32_t Tokenizer::cls_token_id() const { return impl_->cls_id; }
std::int32_t Tokenizer::sep_token_id() const { return impl_->sep_id; }

std::int32_t Tokenizer::pad_token_id() const {
  if (!impl_->pad_id) {
    throw ModelError(fmt::format("the vocabulary has no padding token \"{}\"; name another as "
                                 "pad_token in tokenizer_config.json",
                                 impl_->spec.pad_token));
  }
  return *impl_->pad_id;
}

std::int32_t Tokenizer::unk_token_id() const { return impl_->pipeline.model().unk_id; }
std::optional<std::int32_t> Tokenizer::mask_token_id() const { return impl_->mask_id; }

std::optional<std::int64_t> Tokenizer::model_max_length() const {
  return impl_->spec.model_max_length;
}

bool Tokenizer::do_lower_case() const { return impl_->spec.rules.lowercase; }

}  // namespace cloze
