#include "datasets/conll_reader.h"

#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/text_reader.h"
#include "core/json.h"
#include "core/strings.h"
#include "datasets/tag_scheme.h"

namespace cloze {
namespace {

enum class Layout : std::uint8_t { columns, sentence_a_line, json_lines };

std::vector<std::string_view> split(std::string_view line, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto begin = line.find_first_not_of(separators);
    if (begin == std::string_view::npos) return parts;
    line.remove_prefix(begin);
    const auto end = line.find_first_of(separators);
    parts.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return parts;
    line.remove_prefix(end);
  }
}

/// "W W W<TAB>T T T", with more words than one.
bool is_whole_sentence(std::string_view line) {
  const auto tab = line.find('\t');
  if (tab == std::string_view::npos || line.find('\t', tab + 1) != std::string_view::npos) {
    return false;
  }
  const auto words = split(line.substr(0, tab), " ").size();
  return words > 1 && words == split(line.substr(tab + 1), " ").size();
}

class Reader {
 public:
  Reader(const std::filesystem::path& path, const ConllOptions& options)
      : path_(path), options_(options), lines_(TextReader::file(path, Tabs::space)) {}

  TaggedTexts read() {
    auto line = lines_.next();
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (line && line->text.starts_with(byte_order_mark))
      line->text.erase(0, byte_order_mark.size());
    std::optional<Layout> layout;
    for (; line && !full(); line = lines_.next()) {
      if (!layout && !is_blank(line->text)) {
        layout = line->text.starts_with('{')     ? Layout::json_lines
                 : is_whole_sentence(line->text) ? Layout::sentence_a_line
                                                 : Layout::columns;
      }
      if (is_blank(line->text)) {
        end_sentence();
        if (layout && *layout != Layout::columns) end_document();
      } else if (*layout == Layout::json_lines) {
        add_object(*line);
      } else if (*layout == Layout::sentence_a_line) {
        add_sentence(*line);
      } else {
        add_word(*line);
      }
    }
    end_sentence();
    if (sentences_.empty()) {
      throw FormatError(
          fmt::format("{} has no sentences: there is nothing to read", path_.string()));
    }
    // In columns a sentence's words stand a line each.
    const bool columns = layout == Layout::columns;
    const TagPlace place = [&](const TaggedSentence& sentence, std::size_t word) {
      return lines_.place(sentence.line + (columns ? static_cast<std::int64_t>(word) : 0));
    };
    return in_iob2(std::move(sentences_), place);
  }

 private:
  [[nodiscard]] bool full() const {
    return options_.max_sentences > 0 &&
           static_cast<std::int64_t>(sentences_.size()) >= options_.max_sentences;
  }

  void end_sentence() {
    if (sentence_.words.empty()) return;
    sentence_.document = document_;
    sentences_.push_back(std::exchange(sentence_, {}));
  }

  void end_document() {
    if (!sentences_.empty() && sentences_.back().document == document_) ++document_;
  }

  void add_word(const TextItem& line) {
    const auto columns = split(line.text, line.text.find('\t') == std::string::npos ? " " : "\t");
    if (columns.front() == "-DOCSTART-") {
      end_sentence();
      end_document();
      return;
    }
    const auto width = static_cast<std::int64_t>(columns.size());
    if (width < 2) {
      throw FormatError(fmt::format(
          "{} has a word without a tag: columns are parted by tabs or spaces, the word first and "
          "the tag last",
          lines_.place(line.number)));
    }
    if (width_ == 0) width_ = width;
    if (width != width_) {
      throw FormatError(fmt::format("{} has {} columns, where the first word has {}",
                                    lines_.place(line.number), width, width_));
    }
    const auto word = column(options_.word_column, 1, "text column");
    const auto tag = column(options_.tag_column, width, "label column");
    if (sentence_.words.empty()) sentence_.line = line.number;
    sentence_.words.emplace_back(columns[word]);
    sentence_.tags.emplace_back(columns[tag]);
  }

  [[nodiscard]] std::size_t column(std::int64_t wanted, std::int64_t usual,
                                   std::string_view role) const {
    const auto number = wanted == 0 ? usual : wanted;
    if (number < 1 || number > width_) {
      throw FormatError(fmt::format("{} has {} columns, so there is no column {}: correct the {}",
                                    path_.string(), width_, number, role));
    }
    return static_cast<std::size_t>(number - 1);
  }

  void add_sentence(const TextItem& line) {
    const auto tab = line.text.find('\t');
    const std::string_view text = line.text;
    const auto words = split(text.substr(0, tab), " ");
    const auto tags = tab == std::string::npos ? std::vector<std::string_view>{}
                                               : split(text.substr(tab + 1), " \t");
    sentence_.line = line.number;
    sentence_.words.assign(words.begin(), words.end());
    sentence_.tags.assign(tags.begin(), tags.end());
    require_as_many(line);
    end_sentence();
  }

  void add_object(const TextItem& line) {
    const auto object = parse_json_object(line.text, lines_.place(line.number));
    sentence_.line = line.number;
    take(object, {"tokens", "words"}, sentence_.words, line);
    take(object, {"tags", "ner_tags", "labels", "pos_tags"}, sentence_.tags, line);
    require_as_many(line);
    end_sentence();
  }

  void take(const nlohmann::json& object, std::initializer_list<const char*> keys,
            std::vector<std::string>& target, const TextItem& line) const {
    for (const auto* key : keys) {
      const auto found = object.find(key);
      if (found == object.end() || !found->is_array()) continue;
      for (const auto& item : *found) {
        if (!item.is_string()) {
          throw FormatError(
              fmt::format("{}: \"{}\" must hold texts, not {}: write the labels' names",
                          lines_.place(line.number), key, item.type_name()));
        }
        target.push_back(item.get<std::string>());
      }
      return;
    }
    throw FormatError(
        fmt::format("{} has no list \"{}\"", lines_.place(line.number), *keys.begin()));
  }

  void require_as_many(const TextItem& line) const {
    if (sentence_.words.size() == sentence_.tags.size() && !sentence_.words.empty()) return;
    throw FormatError(fmt::format("{} has {} words and {} tags: each word has one",
                                  lines_.place(line.number), sentence_.words.size(),
                                  sentence_.tags.size()));
  }

  std::filesystem::path path_;
  ConllOptions options_;
  TextReader lines_;
  std::vector<TaggedSentence> sentences_;
  TaggedSentence sentence_;
  std::int64_t document_ = 0;
  std::int64_t width_ = 0;
};

}  // namespace

TaggedTexts read_conll(const std::filesystem::path& path, const ConllOptions& options) {
  return Reader(path, options).read();
}

}  // namespace cloze
