#include "datasets/squad_answers.h"

#include <string_view>
#include <utility>

#include "core/utf8.h"

namespace cloze {
namespace {

/// Code points before the occurrence of `text` that is nearest to `stated`; -1 for none.
std::int32_t nearest(std::string_view context, std::string_view text, std::int64_t stated) {
  if (text.empty()) return -1;
  std::int64_t best = -1;
  std::size_t counted = 0;  // bytes whose code points are in `before`
  std::int64_t before = 0;
  // Of any two whole numbers, the difference in 64 bits without a sign.
  const auto distance = [&](std::int64_t a) {
    const auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(stated);
    return a > stated ? x - y : y - x;
  };
  for (auto at = context.find(text); at != std::string_view::npos;
       at = context.find(text, at + 1)) {
    before += utf8::count_code_points(context.substr(counted, at - counted));
    counted = at;
    if (best < 0 || distance(before) < distance(best)) best = before;
  }
  return static_cast<std::int32_t>(best);
}

}  // namespace

void add_answer(SquadData& data, SquadQuestion& question, const std::string& text,
                std::int64_t start) {
  const std::string_view context = data.contexts.back();
  SquadAnswer answer{.text = text};
  const auto at = start < 0 ? std::string_view::npos : utf8::byte_of_code_point(context, start);
  if (at != std::string_view::npos && context.substr(at).starts_with(text)) {
    answer.start = static_cast<std::int32_t>(start);
  } else {
    answer.start = nearest(context, text, start);
    if (answer.start < 0) {
      if (data.missing++ == 0) data.first_missing = question.id;
    } else {
      ++data.moved;
    }
  }
  question.answers.push_back(std::move(answer));
}

}  // namespace cloze
