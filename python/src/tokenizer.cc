#include "cloze/tokenizer.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "cloze/error.h"
#include "python/src/arrays.h"
#include "python/src/bind.h"
#include "python/src/call.h"
#include "python/src/texts.h"

namespace cloze::python {
namespace {

// Between two slices there is a look at signals.
constexpr std::size_t slice_texts = 16384;
constexpr std::size_t slice_bytes = std::size_t{8} << 20;

/// How many of the texts from `from` on are a slice.
std::size_t slice_of(const TextsOrPairs& input, std::size_t from) {
  std::size_t count = 0;
  for (std::size_t bytes = 0; from + count < input.size(); ++count) {
    bytes += input.texts()[from + count].size();
    if (input.paired()) bytes += input.pairs()[from + count].second.size();
    if (count > 0 && (count == slice_texts || bytes > slice_bytes)) break;
  }
  return count;
}

Truncation truncation_from(std::string_view name) {
  if (name == "do_not_truncate") return Truncation::none;
  if (name == "longest_first") return Truncation::longest_first;
  if (name == "only_first") return Truncation::only_first;
  if (name == "only_second") return Truncation::only_second;
  throw nb::value_error(("there is no truncation '" + std::string(name) +
                         "': there are longest_first, only_first, only_second and do_not_truncate")
                            .c_str());
}

std::int32_t small(std::int64_t value, const char* name) {
  if (value < 0 || value > std::numeric_limits<std::int32_t>::max()) {
    throw ArgumentError(std::string(name) + " is " + std::to_string(value) +
                        ", and must be 0 to 2147483647");
  }
  return static_cast<std::int32_t>(value);
}

EncodeOptions encode_options(bool add_special_tokens, std::string_view truncation,
                             std::int64_t max_length, std::int64_t stride, bool overflowing,
                             std::string_view side) {
  const auto how = truncation_from(truncation);
  if (side != "left" && side != "right") {
    throw nb::value_error(
        ("truncation_side is '" + std::string(side) + "': there are 'left' and 'right'").c_str());
  }
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  return {.add_special_tokens = add_special_tokens,
          .truncation = how,
          .max_length = small(std::min(max_length, most), "max_length"),
          .stride = small(stride, "stride"),
          .overflowing = overflowing,
          .truncation_side = side == "left" ? Side::left : Side::right};
}

/// Packed texts with where their tokens came from.
struct Packed {
  Batch batch;
  Alignment alignment;
};

void append(Packed& all, Packed&& part) {
  if (all.batch.sequences() == 0) {
    all = std::move(part);
    return;
  }
  const auto from = all.batch.total_tokens();
  if (from + part.batch.total_tokens() > std::numeric_limits<std::int32_t>::max()) {
    throw ArgumentError("the texts have over 2^31 - 1 tokens in all: give fewer at once");
  }
  const auto join = [](auto& to, const auto& with) {
    to.insert(to.end(), with.begin(), with.end());
  };
  join(all.batch.input_ids, part.batch.input_ids);
  join(all.batch.token_type_ids, part.batch.token_type_ids);
  join(all.batch.position_ids, part.batch.position_ids);
  join(all.alignment.offsets, part.alignment.offsets);
  join(all.alignment.word_ids, part.alignment.word_ids);
  for (std::size_t i = 1; i < part.batch.cu_seqlens.size(); ++i) {
    all.batch.cu_seqlens.push_back(part.batch.cu_seqlens[i] + static_cast<std::int32_t>(from));
  }
}

Packed pack(const Tokenizer& tokenizer, nb::handle texts, nb::handle pairs, bool add_special_tokens,
            std::string_view truncation, std::int64_t max_length, bool alignment,
            std::string_view side) {
  const TextsOrPairs input(texts, pairs);
  const auto options = encode_options(add_special_tokens, truncation, max_length, 0, false, side);
  Call call;
  return call.run([&] {
    Packed all;
    for (std::size_t from = 0, count = 0; from < input.size(); from += count) {
      count = slice_of(input, from);
      Packed part;
      auto* aligned = alignment ? &part.alignment : nullptr;
      part.batch = input.paired()
                       ? tokenizer.pack(input.pairs().subspan(from, count), options, aligned)
                       : tokenizer.pack(input.texts().subspan(from, count), options, aligned);
      append(all, std::move(part));
      if (!call.go_on()) throw Cancelled("interrupted");
    }
    return all;
  });
}

std::vector<Encoding> encode_batch(const Tokenizer& tokenizer, nb::handle texts, nb::handle pairs,
                                   bool add_special_tokens, std::string_view truncation,
                                   std::int64_t max_length, std::int64_t stride, bool overflowing,
                                   std::string_view side) {
  const TextsOrPairs input(texts, pairs);
  const auto options =
      encode_options(add_special_tokens, truncation, max_length, stride, overflowing, side);
  Call call;
  return call.run([&] {
    std::vector<Encoding> all;
    all.reserve(input.size());
    for (std::size_t from = 0, count = 0; from < input.size(); from += count) {
      count = slice_of(input, from);
      auto part = input.paired()
                      ? tokenizer.encode_batch(input.pairs().subspan(from, count), options)
                      : tokenizer.encode_batch(input.texts().subspan(from, count), options);
      std::move(part.begin(), part.end(), std::back_inserter(all));
      if (!call.go_on()) throw Cancelled("interrupted");
    }
    return all;
  });
}

Encoding encode_words(const Tokenizer& tokenizer, nb::handle words, nb::handle pair,
                      bool add_special_tokens, std::string_view truncation, std::int64_t max_length,
                      std::int64_t stride, bool overflowing, std::string_view side) {
  const TextList first(words, "words");
  const TextList second = pair.is_none() ? TextList() : TextList(pair, "pair");
  const bool paired = !pair.is_none();
  const auto options =
      encode_options(add_special_tokens, truncation, max_length, stride, overflowing, side);
  Call call;
  return call.run([&] {
    return paired ? tokenizer.encode_words(first.views(), second.views(), options)
                  : tokenizer.encode_words(first.views(), options);
  });
}

std::string decode(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids, bool skip,
                   std::optional<bool> clean_up) {
  const nb::gil_scoped_release release;
  return tokenizer.decode(ids, skip, clean_up);
}

nb::dict vocabulary(const Tokenizer& tokenizer) {
  nb::dict result;
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const auto token = tokenizer.id_to_token(id);
    if (token.empty() && tokenizer.token_to_id(token) != id) continue;
    result[nb::str(token.data(), token.size())] = id;
  }
  return result;
}

nb::list spans(const std::vector<Span>& offsets) {
  nb::list result;
  for (const auto& span : offsets) result.append(nb::make_tuple(span.begin, span.end));
  return result;
}

/// -1 is None.
nb::list or_none(const std::vector<std::int32_t>& numbers) {
  nb::list result;
  for (const auto number : numbers) {
    if (number < 0) {
      result.append(nb::none());
    } else {
      result.append(number);
    }
  }
  return result;
}

nb::list flags(const std::vector<std::uint8_t>& values) {
  nb::list result;
  for (const auto value : values) result.append(static_cast<int>(value));
  return result;
}

/// The rectangle of a batch: ids, types and mask, int64 [sequences, width].
nb::tuple padded(const Packed& packed, std::int64_t length, bool left, std::int64_t pad_id,
                 std::int64_t pad_type_id) {
  const auto& batch = packed.batch;
  const auto rows = static_cast<std::size_t>(batch.sequences());
  const auto columns = static_cast<std::size_t>(std::max(length, batch.max_length()));
  std::vector<std::int64_t> ids(rows * columns, pad_id);
  std::vector<std::int64_t> types(rows * columns, pad_type_id);
  std::vector<std::int64_t> mask(rows * columns, 0);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto from = static_cast<std::size_t>(batch.cu_seqlens[row]);
    const auto count = static_cast<std::size_t>(batch.length(static_cast<std::int64_t>(row)));
    const auto to = row * columns + (left ? columns - count : 0);
    for (std::size_t i = 0; i < count; ++i) {
      ids[to + i] = batch.input_ids[from + i];
      types[to + i] = batch.token_type_ids[from + i];
      mask[to + i] = 1;
    }
  }
  const std::vector<std::size_t> shape{rows, columns};
  return nb::make_tuple(array_of(std::move(ids), shape), array_of(std::move(types), shape),
                        array_of(std::move(mask), shape));
}

void bind_encoding(nb::module_& module) {
  nb::class_<Encoding>(module, "Encoding", "One tokenized text or pair.")
      .def_prop_ro("ids", [](const Encoding& e) { return e.ids; })
      .def_prop_ro("type_ids", [](const Encoding& e) { return e.type_ids; })
      .def_prop_ro("tokens", [](const Encoding& e) { return e.tokens; })
      .def_prop_ro("offsets", [](const Encoding& e) { return spans(e.offsets); })
      .def_prop_ro("special_tokens_mask",
                   [](const Encoding& e) { return flags(e.special_tokens_mask); })
      .def_prop_ro("attention_mask", [](const Encoding& e) { return flags(e.attention_mask); })
      .def_prop_ro("word_ids", [](const Encoding& e) { return or_none(e.word_ids); })
      .def_prop_ro("sequence_ids", [](const Encoding& e) { return or_none(e.sequence_ids); })
      .def_prop_ro("overflowing", [](const Encoding& e) { return e.overflowing; })
      .def("__len__", [](const Encoding& e) { return e.ids.size(); });
  nb::class_<Packed>(module, "Packed", "Tokenized texts one after another, without padding.")
      .def_prop_ro("sequences", [](const Packed& p) { return p.batch.sequences(); })
      .def_prop_ro("max_length", [](const Packed& p) { return p.batch.max_length(); })
      .def_prop_ro("input_ids", [](const Packed& p) { return array_of(p.batch.input_ids); })
      .def_prop_ro("token_type_ids",
                   [](const Packed& p) { return array_of(p.batch.token_type_ids); })
      .def_prop_ro("cu_seqlens", [](const Packed& p) { return array_of(p.batch.cu_seqlens); })
      .def_prop_ro("word_ids", [](const Packed& p) { return array_of(p.alignment.word_ids); })
      .def_prop_ro("offsets",
                   [](const Packed& p) {
                     std::vector<std::int32_t> flat;
                     flat.reserve(2 * p.alignment.offsets.size());
                     for (const auto& span : p.alignment.offsets) {
                       flat.push_back(span.begin);
                       flat.push_back(span.end);
                     }
                     const auto rows = flat.size() / 2;
                     return array_of(std::move(flat), {rows, 2});
                   })
      .def("padded", &padded, nb::arg("length"), nb::arg("left"), nb::arg("pad_id"),
           nb::arg("pad_type_id"));
}

template <class Make>
Tokenizer without_gil(Make&& make) {
  Call call;
  return call.run(std::forward<Make>(make));
}

void bind_making(nb::class_<Tokenizer>& tokenizer) {
  const auto mode_of = [](std::string_view mode) {
    if (mode == "hf") return TokenizerMode::hf;
    if (mode == "google") return TokenizerMode::google;
    throw nb::value_error(
        ("there is no mode '" + std::string(mode) + "': there are hf and google").c_str());
  };
  tokenizer
      .def_static(
          "from_pretrained",
          [mode_of](const std::filesystem::path& directory, std::string_view mode) {
            const auto rules = mode_of(mode);
            return without_gil([&] { return Tokenizer::from_pretrained(directory, rules); });
          },
          nb::arg("directory"), nb::arg("mode") = "hf")
      .def_static(
          "from_json",
          [mode_of](std::string_view json, std::string_view config, std::string_view mode) {
            const auto rules = mode_of(mode);
            return without_gil([&] { return Tokenizer::from_json(json, config, rules); });
          },
          nb::arg("tokenizer_json"), nb::arg("tokenizer_config_json") = "", nb::arg("mode") = "hf")
      .def_static(
          "from_vocabulary",
          [mode_of](const std::vector<std::string>& tokens, bool lowercase,
                    std::optional<bool> strip_accents, bool tokenize_chinese_chars,
                    std::optional<std::int64_t> model_max_length, std::string unk, std::string sep,
                    std::string pad, std::string cls, std::string mask, std::string_view mode) {
            const TokenizerOptions options{
                .lowercase = lowercase,
                .strip_accents = strip_accents,
                .tokenize_chinese_chars = tokenize_chinese_chars,
                .model_max_length = model_max_length,
                .special_tokens = {std::move(unk), std::move(sep), std::move(pad), std::move(cls),
                                   std::move(mask)},
                .mode = mode_of(mode)};
            return without_gil([&] { return Tokenizer::from_vocabulary(tokens, options); });
          },
          nb::arg("tokens"), nb::arg("lowercase") = true, nb::arg("strip_accents") = nb::none(),
          nb::arg("tokenize_chinese_chars") = true, nb::arg("model_max_length") = nb::none(),
          nb::arg("unk") = "[UNK]", nb::arg("sep") = "[SEP]", nb::arg("pad") = "[PAD]",
          nb::arg("cls") = "[CLS]", nb::arg("mask") = "[MASK]", nb::arg("mode") = "hf")
      .def("to_json", &Tokenizer::to_json, nb::call_guard<nb::gil_scoped_release>())
      .def("config_to_json", &Tokenizer::config_to_json, nb::call_guard<nb::gil_scoped_release>())
      .def("save_pretrained", &Tokenizer::save_pretrained, nb::arg("directory"),
           nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_tokenizer(nb::module_& module) {
  bind_encoding(module);
  nb::class_<Tokenizer> tokenizer(module, "Tokenizer", "Text to ids; see cloze.BertTokenizer.");
  bind_making(tokenizer);
  tokenizer
      .def("encode_batch", &encode_batch, nb::arg("texts").none(),
           nb::arg("pairs").none() = nb::none(), nb::arg("add_special_tokens") = true,
           nb::arg("truncation") = "do_not_truncate", nb::arg("max_length") = 512,
           nb::arg("stride") = 0, nb::arg("overflowing") = false,
           nb::arg("truncation_side") = "right")
      .def("encode_words", &encode_words, nb::arg("words").none(),
           nb::arg("pair").none() = nb::none(), nb::arg("add_special_tokens") = true,
           nb::arg("truncation") = "do_not_truncate", nb::arg("max_length") = 512,
           nb::arg("stride") = 0, nb::arg("overflowing") = false,
           nb::arg("truncation_side") = "right")
      .def("pack", &pack, nb::arg("texts").none(), nb::arg("pairs").none() = nb::none(),
           nb::arg("add_special_tokens") = true, nb::arg("truncation") = "do_not_truncate",
           nb::arg("max_length") = 512, nb::arg("alignment") = false,
           nb::arg("truncation_side") = "right")
      .def("decode", &decode, nb::arg("ids"), nb::arg("skip_special_tokens") = true,
           nb::arg("clean_up").none() = nb::none())
      .def("tokens_to_text",
           [](const Tokenizer& t, nb::handle tokens) {
             const TextList list(tokens, "tokens");
             return t.tokens_to_text(list.views());
           })
      .def("continues_word", &Tokenizer::continues_word)
      .def("vocab", &vocabulary)
      .def("token_to_id", &Tokenizer::token_to_id)
      .def("id_to_token",
           [](const Tokenizer& t, std::int32_t id) { return std::string(t.id_to_token(id)); })
      .def_prop_ro("vocab_size", &Tokenizer::vocab_size)
      .def_prop_ro("cls_token_id", &Tokenizer::cls_token_id)
      .def_prop_ro("sep_token_id", &Tokenizer::sep_token_id)
      .def_prop_ro("pad_token_id", &Tokenizer::pad_token_id)
      .def_prop_ro("unk_token_id", &Tokenizer::unk_token_id)
      .def_prop_ro("mask_token_id", &Tokenizer::mask_token_id)
      .def_prop_ro("model_max_length", &Tokenizer::model_max_length)
      .def_prop_ro("do_lower_case", &Tokenizer::do_lower_case)
      .def_prop_ro("is_word_piece",
                   [](const Tokenizer& t) { return t.model() == TokenizerModel::word_piece; });
}

}  // namespace cloze::python
