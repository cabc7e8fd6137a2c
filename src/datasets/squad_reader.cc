#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/squad.h"
#include "core/io/files.h"
#include "core/json.h"
#include "core/strings.h"
#include "datasets/squad_answers.h"

namespace cloze {
namespace {

using nlohmann::json;

class Parser {
 public:
  Parser(std::string origin, std::int64_t most) : origin_(std::move(origin)), most_(most) {}

  SquadData parse(std::string_view text) {
    const auto whole = parse_json_object(text, origin_);
    const auto& articles = list(whole, "data", "the file");
    for (std::size_t a = 0; a < articles.size() && !full(); ++a) {
      const auto article = fmt::format("article {}", a + 1);
      const auto& paragraphs = list(articles[a], "paragraphs", article);
      for (std::size_t p = 0; p < paragraphs.size() && !full(); ++p) {
        add_paragraph(paragraphs[p], fmt::format("{}, paragraph {}", article, p + 1));
      }
    }
    if (data_.questions.empty()) {
      throw FormatError(fmt::format("{} has no questions: there is nothing to read", origin_));
    }
    return std::move(data_);
  }

 private:
  [[nodiscard]] bool full() const {
    return most_ > 0 && static_cast<std::int64_t>(data_.questions.size()) >= most_;
  }

  [[noreturn]] void fail(const std::string& where, const std::string& what) const {
    throw FormatError(fmt::format("{}: {} {}; this is not SQuAD's format", origin_, where, what));
  }

  const json& member(const json& object, const char* name, const std::string& where) const {
    if (!object.is_object() || !object.contains(name)) {
      fail(where, fmt::format("has no \"{}\"", name));
    }
    return object.at(name);
  }
  const json& list(const json& object, const char* name, const std::string& where) const {
    const auto& value = member(object, name, where);
    if (!value.is_array()) fail(where, fmt::format("has a \"{}\" that is no list", name));
    return value;
  }
  const std::string& string(const json& object, const char* name, const std::string& where) const {
    const auto& value = member(object, name, where);
    if (!value.is_string()) fail(where, fmt::format("has a \"{}\" that is no text", name));
    return value.get_ref<const std::string&>();
  }

  /// A text, or a whole number as some data sets have it.
  std::string id_of(const json& entry, const std::string& where) const {
    const auto& id = member(entry, "id", where);
    if (id.is_number_integer()) return id.dump();
    return string(entry, "id", where);
  }

  void add_paragraph(const json& paragraph, const std::string& where) {
    const auto& context = string(paragraph, "context", where);
    const auto& questions = list(paragraph, "qas", where);
    if (questions.empty()) return;
    if (trimmed(context).empty()) {
      throw FormatError(
          fmt::format("{}: {} has an empty context: remove it, or fill it in", origin_, where));
    }
    data_.contexts.push_back(context);
    for (std::size_t q = 0; q < questions.size() && !full(); ++q) {
      add_question(questions[q], fmt::format("{}, question {}", where, q + 1));
    }
  }

  void add_question(const json& entry, const std::string& where) {
    SquadQuestion question;
    question.question = string(entry, "question", where);
    if (trimmed(question.question).empty()) {
      throw FormatError(fmt::format("{}: {} is empty: remove it, or fill it in", origin_, where));
    }
    question.id = id_of(entry, where);
    question.context = data_.contexts.size() - 1;
    const bool impossible = entry.contains("is_impossible") && entry["is_impossible"] == true;
    question.labelled = impossible || entry.contains("answers");
    if (!impossible && question.labelled) {
      for (const auto& item : list(entry, "answers", where)) add_answer(question, item, where);
    }
    data_.questions.push_back(std::move(question));
  }

  void add_answer(SquadQuestion& question, const json& item, const std::string& where) {
    const auto& text = string(item, "text", where);
    const auto& start = member(item, "answer_start", where);
    if (!start.is_number_integer()) fail(where, "has an \"answer_start\" that is no whole number");
    cloze::add_answer(data_, question, text, start.get<std::int64_t>());
  }

  std::string origin_;
  std::int64_t most_;
  SquadData data_;
};

}  // namespace

SquadData parse_squad(std::string_view json, const std::string& origin,
                      std::int64_t max_questions) {
  return Parser(origin, max_questions).parse(json);
}

SquadData read_squad(const std::filesystem::path& path, std::int64_t max_questions) {
  return parse_squad(files::read_text(path), path.string(), max_questions);
}

}  // namespace cloze
