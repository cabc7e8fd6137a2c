/// \file
/// cloze tag: the entities in each text.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/text_command.h"
#include "cloze/token_classification.h"

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

std::string json_line(const std::vector<TaggedEntity>& entities) {
  std::string line;
  append_object(line, "entities", [&] {
    append_list(line, entities, [&](const TaggedEntity& entity) {
      line += '{';
      append_fields(line, "label", entity.label, "score", static_cast<float>(entity.score));
      if (entity.index >= 0) append_fields(line, "index", entity.index);
      append_fields(line, "word", entity.word, "start", entity.offsets.begin, "end",
                    entity.offsets.end);
      line += '}';
    });
  });
  return line + '\n';
}

std::string readable(const std::string& text, const std::vector<TaggedEntity>& entities) {
  const auto width = terminal_width();
  auto lines = shortened(text, width) + '\n';
  for (const auto& entity : entities) {
    lines += fmt::format("  {:7.4f}  {} {:>5}-{:<5} {}\n", entity.score,
                         padded(printable(entity.label), 12), entity.offsets.begin,
                         entity.offsets.end, shortened(entity.word, width > 70 ? width - 40 : 30));
  }
  return lines;
}

std::string json_line(const std::vector<std::string_view>& words,
                      const std::vector<WordLabel>& labels) {
  std::string line;
  append_object(line, "words", words, "labels", list_of(line, labels, &WordLabel::label), "scores",
                list_of(line, labels, score_of));
  return line + '\n';
}

/// CoNLL's columns.
std::string columns(const std::vector<std::string_view>& words,
                    const std::vector<WordLabel>& labels) {
  std::string lines;
  for (std::size_t w = 0; w < words.size(); ++w) {
    lines += fmt::format("{}\t{}\n", words[w], printable(labels[w].label));
  }
  return lines + '\n';
}

}  // namespace

void run_tag(Arguments arguments) {
  TextCommand command("Finds the entities in texts, with a model fine-tuned for that.",
                      "cloze tag");
  auto& app = command.app;
  std::string aggregation = "simple";
  TokenClassificationOptions options;
  WordTaggingOptions word_options;
  bool words = false;
  command.text.add_texts(app, "texts");
  app.add_option("--aggregation,-a", aggregation,
                 "none (every token), simple, first, max or average (how words are made of tokens)")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_flag("--words,--conll", words, "lines are words parted by spaces; CoNLL output");
  app.add_flag("--document-context", word_options.document_context,
               "with --words: neighbouring lines of a document are read together");
  add_count(command.app, "--stride", options.stride, "tokens that windows of a long text share", 0,
            1 << 20);
  add_count(command.app, "--max-length", command.text.max_length,
            "most tokens of a window, special ones included (default: what the model reads)", 8);
  if (!command.parse(examples, arguments)) return;
  if (word_options.document_context && !words) {
    throw UsageError("--document-context goes with --words");
  }
  if (words && app.count("--aggregation") > 0) {
    throw UsageError("--words labels words as they stand: --aggregation has no part in it");
  }
  command.text.single = true;
  auto reader = command.text.reader();
  const auto tag = command.load<TokenClassificationPipeline>();
  options.max_length = word_options.max_length = command.text.limits(tag.max_length()).max_length;
  word_options.stride = options.stride;
  options.aggregation = as_usage([&] { return aggregation_from(aggregation); });
  print_pieces(
      reader, {.label = "tagging", .bytes = command.piece_bytes()},
      [&](const Piece& piece, Output& out) {
        const auto& items = piece.items;
        if (!words) {
          const auto tagged = tag(items, options, piece.progress);
          for (std::size_t i = 0; i < items.size(); ++i) {
            out.write(command.json ? json_line(tagged[i]) : readable(items[i].text, tagged[i]));
          }
          return;
        }
        std::vector<std::vector<std::string_view>> sentences;
        for (const auto& item : items) {
          sentences.push_back(split(item.text, " \t"));
          std::erase(sentences.back(), std::string_view());
        }
        const auto tagged = tag.tag_words(sentences, word_options, piece.progress);
        for (std::size_t i = 0; i < items.size(); ++i) {
          out.write(command.json ? json_line(sentences[i], tagged[i])
                                 : columns(sentences[i], tagged[i]));
        }
      });
}

}  // namespace cloze::cli
