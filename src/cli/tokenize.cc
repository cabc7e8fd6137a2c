/// \file
/// cloze tokenize: text to tokens, ids and offsets.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cloze/output.h"
#include "cloze/tokenizer.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
The JSON of a text is {"ids","tokens","offsets","type_ids","special"}, a value each token. Offsets
are [begin,end) in the text that the token came from; special tokens have [0,0].

Examples:
  cloze tokenize --model all-MiniLM-L6-v2 "Hello, my dog is cute"
  cloze tokenize --model all-MiniLM-L6-v2 --json --input lines.txt > tokens.jsonl
  printf 'a question?\tits answer\n' | cloze tokenize --model all-MiniLM-L6-v2
  cloze tokenize --model all-MiniLM-L6-v2 --offsets bytes --json "naïve 東京"
  cloze tokenize --model tohoku-nlp/bert-base-japanese-v3 --dictionary unidic_lite/dicdir "東京都に行く"
)";

void append_json_line(std::string& line, const Encoding& encoding) {
  const auto range = [](Span span) { return std::array{span.begin, span.end}; };
  append_object(line, "ids", encoding.ids, "tokens", encoding.tokens, "offsets",
                list_of(line, encoding.offsets, range), "type_ids", encoding.type_ids, "special",
                encoding.special_tokens_mask);
  line += '\n';
}

/// Tokens over their ids, in columns, as many a line as the terminal has room for.
void append_table(std::string& text, const Encoding& encoding, std::size_t width) {
  std::string tokens;
  std::string ids;
  std::size_t used = 0;
  const auto end_line = [](std::string& line) {
    line.erase(line.find_last_not_of(' ') + 1);
    line += '\n';
  };
  const auto flush = [&] {
    end_line(tokens);
    end_line(ids);
    text += tokens + ids;
    tokens.clear();
    ids.clear();
    used = 0;
  };
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const auto id = fmt::format("{}", encoding.ids[i]);
    const auto token = printable(encoding.tokens[i]);
    const auto column = std::max(display_width(token), id.size()) + 1;
    if (used > 0 && used + column > width) flush();
    tokens += padded(token, column);
    ids += padded(id, column);
    used += column;
  }
  flush();
}

}  // namespace

void run_tokenize(Arguments arguments) {
  CLI::App app("Tokenizes texts as the model reads them: tokens, ids and offsets.",
               "cloze tokenize");
  ModelOptions model;
  TextOptions texts;
  EncodeOptions encode;
  std::string mode = "hf", offsets = "code_points";
  bool no_special = false, json = false;
  model.add_model(app);
  texts.add_texts(app, "texts; a tab parts a text from its pair");
  texts.add_single(app);
  app.add_option("--mode", mode, "whose rules: hf (Hugging Face) or google (google-research/bert)")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"hf", "google"}));
  app.add_option("--offsets", offsets, "unit of offsets: code_points or bytes")
      ->type_name("UNIT")
      ->capture_default_str()
      ->check(CLI::IsMember({"code_points", "bytes"}));
  app.add_flag("--no-special", no_special, "leave out [CLS] and [SEP], or <s> and </s>");
  add_count(app, "--max-length", texts.max_length,
            "cut texts to this many tokens, special ones included (pairs: the longer first)");
  app.add_flag("--json", json, "a JSON object a line");
  app.footer(examples);
  if (!parse(app, arguments)) return;

  encode.add_special_tokens = !no_special;
  if (offsets == "bytes") encode.offsets = OffsetUnit::bytes;
  if (texts.max_length > 0) {
    encode.truncation = Truncation::longest_first;
    encode.overflowing = false;
    encode.max_length = static_cast<std::int32_t>(texts.max_length);
  }
  auto reader = texts.reader();
  const auto tokenizer = Tokenizer::from_pretrained(
      model.directory(), mode == "google" ? TokenizerMode::google : TokenizerMode::hf);
  auto out = Output::standard_output();
  ProgressBar progress("tokenizing", reader.total_bytes(), "bytes", beside_results());
  const auto width = json ? 0 : terminal_width();
  std::string text;
  std::int64_t done = 0;
  while (const auto item = reader.next()) {
    const auto encoding = item->pair ? tokenizer.encode(item->text, *item->pair, encode)
                                     : tokenizer.encode(item->text, encode);
    text.clear();
    if (json) {
      append_json_line(text, encoding);
    } else {
      append_table(text, encoding, width);
    }
    out.write(text);
    progress.advance(reader.bytes_read() - done);
    done = reader.bytes_read();
  }
  out.finish();
}

}  // namespace cloze::cli
