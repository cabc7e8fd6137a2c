#include "text/normalize/char_actions.h"

#include <algorithm>

#include "core/utf8.h"

namespace cloze::text {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3;
constexpr char32_t kItself = 0xFFFFFFFF;  // stands for the code point whose record is composed

struct Output {
  char32_t cp;
  const CharRecord* record;
};

// `inputs` with each code point replaced by what `mapping` (nfd or lower) says.
template <class Mapping>
std::vector<Output> mapped(const UnicodeTable& table, const std::vector<Output>& inputs,
                           Mapping mapping) {
  std::vector<Output> outputs;
  for (const auto& input : inputs) {
    const auto to = mapping(*input.record);
    if (to.empty()) outputs.push_back(input);
    for (const char32_t cp : to) outputs.push_back({cp, &table[cp]});
  }
  return outputs;
}

}  // namespace

CharActions::CharActions(const NormalizerRules& rules)
    : rules_(rules), table_(rules.google ? &unicode_table_google() : &unicode_table_hf()) {
  actions_.reserve(table_->records.size());
  for (const auto& record : table_->records) actions_.push_back(compose(record));
  if (rules.google && rules.lowercase) {
    actions_[table_->record_of(kCapitalSigma)].kind = CharAction::sigma;
  }
}

CharAction CharActions::compose(const CharRecord& record) const {
  CharAction action;
  if (rules_.clean_text && (record.flags & kRemoved) != 0) {
    action.kind = CharAction::drop;
    return action;
  }
  if ((record.flags & kWhite) != 0) {
    action.kind = CharAction::space;
    return action;
  }
  if (rules_.strip_accents && (record.flags & kHangul) != 0) {
    action.kind = CharAction::hangul;
    return action;
  }
  const auto lower = [this](const CharRecord& r) { return table_->lower(r); };
  const auto nfd = [this](const CharRecord& r) { return table_->nfd(r); };
  std::vector<Output> outputs{{kItself, &record}};
  if (rules_.google && rules_.lowercase) outputs = mapped(*table_, outputs, lower);
  if (rules_.strip_accents) {
    outputs = mapped(*table_, outputs, nfd);
    const bool mark = outputs.front().record->combining_class != 0;
    std::erase_if(outputs, [](const Output& o) { return (o.record->flags & kMark) != 0; });
    if (outputs.empty()) {
      action.kind = CharAction::drop;
      action.combining_mark = mark ? 1 : 0;
      return action;
    }
    if (std::any_of(outputs.begin(), outputs.end(),
                    [](const Output& o) { return o.record->combining_class != 0; })) {
      action.kind = CharAction::reorder;
      return action;
    }
  }
  if (!rules_.google && rules_.lowercase) outputs = mapped(*table_, outputs, lower);

  const bool alone = (rules_.handle_chinese_chars && (record.flags & kCjk) != 0) ||
                     (outputs.size() == 1 && (outputs[0].record->flags & kPunct) != 0);
  action.kind = alone ? CharAction::alone : CharAction::copy;
  if (outputs.size() == 1 && outputs[0].cp == kItself) return action;
  if (!alone) action.kind = CharAction::map;
  const bool words = std::any_of(outputs.begin(), outputs.end(), [](const Output& o) {
    return (o.record->flags & (kPunct | kWhite)) != 0;
  });
  if (outputs.size() > 3 || (outputs.size() > 1 && words)) {
    action.kind = CharAction::reorder;
    return action;
  }
  action.chars = static_cast<std::uint8_t>(outputs.size());
  for (const auto& output : outputs) {
    action.size = static_cast<std::uint8_t>(action.size +
                                            utf8::encode(output.cp, action.bytes + action.size));
  }
  return action;
}

}  // namespace cloze::text
