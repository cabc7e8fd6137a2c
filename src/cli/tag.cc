/// \file
/// cloze tag: the entities in each text.
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/task_options.h"
#include "cloze/output.h"
#include "tasks/tagger.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Offsets are [start,end) in code points of the text. A text that is longer than the model reads is read in
windows that share --stride tokens. The JSON of a text is {"entities":[{"label","score","word","start","end"},...]};
with --aggregation none each entity is a token and has its "index" too.

--words reads every line as words parted by spaces and labels each by its first token, as in training; its
output is CoNLL's columns (or {"words","labels","scores"}). Then --document-context lets the lines around a
line be read with it; an empty line parts documents.

Examples:
  cloze tag --model ./ner "Angela Merkel met Peter in New York."
  cloze tag --model ./ner --aggregation first --json --input lines.txt
  cloze tag --model ./ner --words --document-context --input tokenized.txt > tagged.conll
)";

struct Options {
  ModelOptions model;
  TextOptions text;
  std::string aggregation = "simple";
  std::int64_t stride = 128;
  std::int64_t max_length = 0;
  bool words = false, document_context = false, json = false;
};

void append_entities(std::string& line, const std::vector<TaggedSpan>& spans) {
  line += "{\"entities\":[";
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const auto& span = spans[i];
    line += i == 0 ? "{\"label\":" : ",{\"label\":";
    append_json(line, span.label);
    line += ",\"score\":";
    append_json(line, static_cast<float>(span.score));
    if (span.index >= 0) line += fmt::format(",\"index\":{}", span.index);
    line += ",\"word\":";
    append_json(line, span.word);
    line += fmt::format(",\"start\":{},\"end\":{}}}", span.offsets.begin, span.offsets.end);
  }
  line += "]}\n";
}

void append_table(std::string& text, std::string_view input, const std::vector<TaggedSpan>& spans,
                  std::size_t width) {
  text += shortened(input, width) + '\n';
  for (const auto& span : spans) {
    text += fmt::format("  {:7.4f}  {} {:>5}-{:<5} {}\n", span.score, padded(span.label, 12),
                        span.offsets.begin, span.offsets.end,
                        shortened(span.word, width > 70 ? width - 40 : 30));
  }
}

std::vector<std::string_view> split_words(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const auto end = line.find_first_of(" \t");
    words.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return words;
    line.remove_prefix(end);
  }
}

void tag_lines(const Options& options, const TaskModelFiles& model, std::int64_t max_length,
               TextReader& reader, Output& out) {
  TaggerOptions tagger{
      .aggregation = as_usage([&] { return aggregation_from(options.aggregation); }),
      .max_length = max_length,
      .stride = options.stride};
  const auto width = terminal_width();
  for_each_piece(reader, piece_bytes(options.model), "tagging", [&](const auto& items) {
    std::vector<std::string_view> texts;
    texts.reserve(items.size());
    for (const auto& item : items) texts.push_back(item.text);
    const auto tagged = tag_texts(model.predictor, model.tokenizer, texts, tagger);
    std::string text;
    for (std::size_t i = 0; i < items.size(); ++i) {
      text.clear();
      if (options.json) {
        append_entities(text, tagged[i]);
      } else {
        append_table(text, items[i].text, tagged[i], width);
      }
      out.write(text);
    }
  });
}

void tag_split_lines(const Options& options, const TaskModelFiles& model, std::int64_t max_length,
                     TextReader& reader, Output& out) {
  const WordTaggerOptions tagger{.max_length = max_length,
                                 .stride = options.stride,
                                 .document_context = options.document_context};
  for_each_piece(reader, piece_bytes(options.model), "tagging", [&](const auto& items) {
    std::vector<std::vector<std::string_view>> sentences;
    sentences.reserve(items.size());
    for (const auto& item : items) sentences.push_back(split_words(item.text));
    const auto tagged = tag_words(model.predictor, model.tokenizer, sentences, tagger);
    std::string text;
    for (std::size_t i = 0; i < sentences.size(); ++i) {
      text.clear();
      if (!options.json) {
        for (std::size_t w = 0; w < sentences[i].size(); ++w) {
          text += fmt::format("{}\t{}\n", sentences[i][w], tagged[i][w].label);
        }
        out.write(text + '\n');
        continue;
      }
      const auto list = [&](std::string_view name, const auto& append) {
        text += fmt::format("\"{}\":[", name);
        for (std::size_t w = 0; w < sentences[i].size(); ++w) {
          if (w > 0) text += ',';
          append(w);
        }
        text += ']';
      };
      text += '{';
      list("words", [&](std::size_t w) { append_json(text, sentences[i][w]); });
      text += ',';
      list("labels", [&](std::size_t w) { append_json(text, tagged[i][w].label); });
      text += ',';
      list("scores",
           [&](std::size_t w) { append_json(text, static_cast<float>(tagged[i][w].score)); });
      out.write(text + "}\n");
    }
  });
}

}  // namespace

void run_tag(Arguments arguments) {
  CLI::App app("Finds the entities in texts, with a model fine-tuned for that.", "cloze tag");
  Options options;
  options.model.add_model(app);
  options.text.add_texts(app, "texts");
  app.add_option("--aggregation,-a", options.aggregation,
                 "none (every token), simple, first, max or average (how words are made of tokens)")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_flag("--words,--conll", options.words, "lines are words parted by spaces; CoNLL output");
  app.add_flag("--document-context", options.document_context,
               "with --words: neighbouring lines of a document are read together");
  app.add_option("--stride", options.stride, "tokens that windows of a long text share")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(0, std::int64_t{1} << 20));
  app.add_option("--max-length", options.max_length,
                 "most tokens of a window, special ones included (default: what the model reads)")
      ->type_name("N")
      ->check(in_range(8, std::int64_t{1} << 30));
  app.add_flag("--json", options.json, "a JSON object a line");
  options.model.add_computation(app);
  app.footer(examples);
  if (!parse(app, arguments)) return;
  if (options.document_context && !options.words) {
    throw UsageError("--document-context goes with --words");
  }
  if (options.words && app.count("--aggregation") > 0) {
    throw UsageError("--words labels words as they stand: --aggregation has no part in it");
  }
  options.text.single = true;
  auto reader = options.text.reader();
  const auto model = open_task_model(options.model, internal::TaskHead::token);
  const auto most = model.config.max_position_embeddings;
  if (options.max_length > most) {
    throw UsageError(
        fmt::format("--max-length {} is more than this model reads, which is {} tokens",
                    options.max_length, most));
  }
  const auto max_length = options.max_length > 0 ? options.max_length : most;
  auto out = Output::standard_output();
  if (options.words) {
    tag_split_lines(options, model, max_length, reader, out);
  } else {
    tag_lines(options, model, max_length, reader, out);
  }
  out.finish();
}

}  // namespace cloze::cli
