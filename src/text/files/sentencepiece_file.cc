#include "text/files/sentencepiece_file.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sentencepiece_model.pb.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/strings.h"
#include "core/utf8.h"
#include "text/files/unigram_json.h"

namespace cloze::text {
namespace {

namespace fs = std::filesystem;
using Model = cloze::sentencepiece::ModelProto;

constexpr int kUnigram = 1;
constexpr int kControl = 3, kUserDefined = 4;  // types of pieces

// Of the file's pieces, those that XLM-RoBERTa has others for.
constexpr int kReplaced = 3;

Model parse(const std::string& bytes, const std::string& origin) {
  Model model;
  const bool fits = bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (!fits || !model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw FormatError(fmt::format(
        "{}: the {} bytes are no SentencePiece model, or it is cut short; take the file from its "
        "source again",
        origin, bytes.size()));
  }
  if (const int type = model.trainer_spec().model_type(); type != kUnigram) {
    throw ModelError(
        fmt::format("{}: the SentencePiece model is of type {}{}; Cloze reads type {}, Unigram",
                    origin, type, type == 2 ? ", BPE" : "", kUnigram));
  }
  if (model.pieces_size() <= kReplaced) {
    throw FormatError(fmt::format(
        "{}: the SentencePiece model has {} pieces; it must have <unk>, <s>, </s> and others",
        origin, model.pieces_size()));
  }
  return model;
}

void add(std::string_view piece, double score, const std::string& origin, TokenizerSpec& spec) {
  auto& scores = spec.unigram->scores;
  const auto id = static_cast<std::int32_t>(scores.size());
  if (utf8::valid_prefix(piece) != piece.size()) {
    throw FormatError(fmt::format("{}: the piece with id {} is not UTF-8: {}; the file is damaged",
                                  origin, id, in_quotes(piece)));
  }
  if (!std::isfinite(score)) {
    throw FormatError(fmt::format("{}: the score of piece {} is {}; the file is damaged", origin,
                                  in_quotes(piece), score));
  }
  try {
    if (!spec.vocabulary.add(piece, id, false)) {
      throw FormatError(fmt::format("{}: piece {} is there twice: as {} and {}", origin,
                                    in_quotes(piece), *spec.vocabulary.id_of(piece), id));
    }
  } catch (const ArgumentError& error) {
    throw FormatError(fmt::format("{}: {}", origin, error.what()));
  }
  scores.push_back(score);
}

}  // namespace

fs::path sentencepiece_file(const fs::path& directory) {
  for (const auto* name : {"sentencepiece.bpe.model", "spiece.model"}) {
    auto path = directory / name;
    if (files::exists(path)) return path;
  }
  throw IoError(
      fmt::format("{}: there is neither tokenizer.json nor sentencepiece.bpe.model in it, which an "
                  "XLMRobertaTokenizer is read from",
                  directory.string()));
}

void read_sentencepiece(const fs::path& file, const XlmRobertaPieces& pieces, TokenizerSpec& spec) {
  const auto origin = file.string();
  const auto model = parse(files::read_text(file), origin);
  PrecompiledStep map;
  if (const auto& bytes = model.normalizer_spec().precompiled_charsmap(); !bytes.empty()) {
    map = std::make_shared<const PrecompiledMap>(bytes, origin);
  }
  const auto count = static_cast<std::size_t>(model.pieces_size());
  spec.vocabulary = Vocabulary("##", count + 2);
  spec.unigram = xlm_roberta_rules({}, std::move(map));
  for (const auto* piece : {&pieces.bos, &pieces.pad, &pieces.eos, &pieces.unk}) {
    add(*piece, 0, origin, spec);
  }
  for (int i = kReplaced; i < model.pieces_size(); ++i) {
    add(model.pieces(i).piece(), static_cast<double>(model.pieces(i).score()), origin, spec);
  }
  add(pieces.mask, 0, origin, spec);
  spec.base_vocab_size = spec.vocabulary.size();
  spec.decoder = spec.unigram->metaspace;
  name_usual_special_tokens(spec);
  for (const auto& piece : model.pieces()) {
    if (piece.type() != kControl && piece.type() != kUserDefined) continue;
    const auto id = spec.vocabulary.id_of(piece.piece());
    if (!id) continue;  // one of the three that have gone
    spec.added.push_back(
        {.content = piece.piece(), .id = *id, .special = piece.type() == kControl});
  }
}

}  // namespace cloze::text
