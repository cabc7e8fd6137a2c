#include "formats/torch/pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/json.h"

namespace cloze {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view kOrderedDict = "collections.OrderedDict";

/// The largest models have a few thousand tensors, of some thirty values each.
constexpr std::size_t kMostValues = 2'000'000;

/// Opcodes that are not read, by their names in pickletools.
constexpr std::array<std::pair<unsigned char, std::string_view>, 22> kRefused{
    {{'I', "INT"},        {'L', "LONG"},       {'F', "FLOAT"}, {'S', "STRING"}, {'V', "UNICODE"},
     {'P', "PERSID"},     {'d', "DICT"},       {'l', "LIST"},  {'g', "GET"},    {'p', "PUT"},
     {'0', "POP"},        {'1', "POP_MARK"},   {'2', "DUP"},   {'i', "INST"},   {'o', "OBJ"},
     {0x81, "NEWOBJ"},    {0x92, "NEWOBJ_EX"}, {0x82, "EXT1"}, {0x83, "EXT2"},  {0x84, "EXT4"},
     {0x8F, "EMPTY_SET"}, {0x91, "FROZENSET"}}};

}  // namespace

/// Executes the opcodes on a stack of values, as Python's unpickler does.
class PickleMachine {
 public:
  PickleMachine(Pickle& pickle, std::span<const std::byte> bytes, const std::string& origin,
                GlobalFilter allowed)
      : pickle_(&pickle), bytes_(bytes), origin_(&origin), allowed_(allowed) {}

  void run() {
    none_ = make(Kind::none);
    while (true) {
      at_ = position_;
      const auto opcode = take<unsigned char>();
      if (opcode == '.') break;
      step(opcode);
    }
    if (stack_.size() != 1 || !marks_.empty()) malformed("ends with more than one value");
    pickle_->value_ = stack_.back();
    pickle_->size_ = position_;
  }

 private:
  void step(unsigned char opcode) {
    switch (opcode) {
      case 0x80:  // PROTO
        if (const auto protocol = take<std::uint8_t>(); protocol > 5) {
          malformed(fmt::format("is of protocol {}, and there are 2 to 5", protocol));
        }
        return;
      case 0x95:  // FRAME
        static_cast<void>(take<std::uint64_t>());
        return;
      case 'N':
        return push(none_);
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        return push(make_integer(Kind::boolean, opcode == 0x88 ? 1 : 0));
      case 'K':
        return push(make_integer(Kind::integer, take<std::uint8_t>()));
      case 'M':
        return push(make_integer(Kind::integer, take<std::uint16_t>()));
      case 'J':
        return push(make_integer(Kind::integer, take<std::int32_t>()));
      case 0x8A:  // LONG1
        return push_long(take<std::uint8_t>());
      case 0x8B:  // LONG4
        return push_long(take<std::uint32_t>());
      case 'G':
        return push_real();
      case 0x8C:  // SHORT_BINUNICODE
      case 'U':   // SHORT_BINSTRING, Python 2's
        return push_text(Kind::text, take<std::uint8_t>());
      case 'X':
      case 'T':  // BINSTRING
        return push_text(Kind::text, take<std::uint32_t>());
      case 0x8D:  // BINUNICODE8
        return push_text(Kind::text, take<std::uint64_t>());
      case 'C':
        return push_text(Kind::bytes, take<std::uint8_t>());
      case 'B':
        return push_text(Kind::bytes, take<std::uint32_t>());
      case 0x8E:  // BINBYTES8
        return push_text(Kind::bytes, take<std::uint64_t>());
      case '}':
        return push(make(Kind::dict));
      case ']':
        return push(make(Kind::list));
      case ')':
        return push(make(Kind::tuple));
      case '(':
        marks_.push_back(stack_.size());
        return;
      case 't':
        return push_tuple(pop_mark());
      case 0x85:  // TUPLE1
      case 0x86:
      case 0x87:
        return push_tuple(pop(static_cast<std::size_t>(opcode - 0x84)));
      case 'a': {
        auto items = pop(1);
        return extend(top(Kind::list, "APPEND"), std::move(items));
      }
      case 'e': {
        auto items = pop_mark();
        return extend(top(Kind::list, "APPENDS"), std::move(items));
      }
      case 's': {
        auto items = pop(2);
        return extend(top(Kind::dict, "SETITEM"), std::move(items));
      }
      case 'u': {
        auto items = pop_mark();
        if (items.size() % 2 != 0) malformed("has a key without a value");
        return extend(top(Kind::dict, "SETITEMS"), std::move(items));
      }
      case 'q':
        memo_[take<std::uint8_t>()] = top();
        return;
      case 'r':
        memo_[take<std::uint32_t>()] = top();
        return;
      case 0x94: {  // MEMOIZE
        const auto next = memo_.size();
        memo_[next] = top();
        return;
      }
      case 'h':
        return push(remembered(take<std::uint8_t>()));
      case 'j':
        return push(remembered(take<std::uint32_t>()));
      case 'c': {
        const auto module = take_line();
        const auto name = take_line();
        return push_global(module, name);
      }
      case 0x93: {  // STACK_GLOBAL
        const auto names = pop(2);
        if (!names[0]->is(Kind::text) || !names[1]->is(Kind::text)) {
          malformed("names a global by something that is no string");
        }
        return push_global(names[0]->text, names[1]->text);
      }
      case 'Q': {
        auto* value = make(Kind::persistent);
        value->items = pop(1);
        return push(value);
      }
      case 'R':
        return reduce();
      case 'b':
        return build();
      default:
        refuse(opcode);
    }
  }

  // Python's unpickler would call the function here; this one writes down that it was asked to.
  void reduce() {
    const auto operands = pop(2);
    const auto& function = *operands[0];
    const auto& arguments = *operands[1];
    if (!function.is(Kind::global) || !arguments.is(Kind::tuple)) {
      malformed("calls something that is no function");
    }
    if (function.text == kOrderedDict) return push(ordered_dict(arguments));
    auto* value = make(Kind::call);
    value->text = function.text;
    copy(arguments.items, value);
    push(value);
  }

  /// Items that are somewhere already: these copies count as values, or a few bytes that say "the
  /// same again" would fill the memory.
  void copy(const std::vector<const PickleValue*>& items, PickleValue* to) {
    copied_ += items.size();
    check_size();
    to->items.insert(to->items.end(), items.begin(), items.end());
  }

  void check_size() const {
    if (pickle_->values_.size() + copied_ < kMostValues) return;
    malformed(fmt::format("holds over {} values", kMostValues));
  }

  /// OrderedDict(), or Python 2's OrderedDict([[key, value], ...]).
  PickleValue* ordered_dict(const PickleValue& arguments) {
    auto* dict = make(Kind::dict);
    if (arguments.items.empty()) return dict;
    const auto& pairs = *arguments.items[0];
    if (arguments.items.size() > 1 || !pairs.is(Kind::list)) {
      malformed("makes an OrderedDict of something that is no list of pairs");
    }
    for (const auto* pair : pairs.items) {
      const bool two = (pair->is(Kind::list) || pair->is(Kind::tuple)) && pair->items.size() == 2;
      if (!two) malformed("makes an OrderedDict of something that is no list of pairs");
      copy(pair->items, dict);
    }
    return dict;
  }

  // Attributes of an object. A state_dict has some (`_metadata`), which no tensor depends on.
  void build() {
    const auto state = pop(1);
    static_cast<void>(top(Kind::dict, "BUILD"));
    if (!state[0]->is(Kind::dict) && !state[0]->is(Kind::tuple)) {
      malformed("gives a dictionary attributes that are none");
    }
  }

  void push_global(std::string_view module, std::string_view name) {
    auto global = fmt::format("{}.{}", module, name);
    if (global != kOrderedDict && !allowed_(global)) {
      fail(
          fmt::format("asks for {}, which weights have no need of; it was refused, and nothing in "
                      "the file was run",
                      in_quotes(global)));
    }
    auto* value = make(Kind::global);
    value->text = std::move(global);
    push(value);
  }

  void push_long(std::uint64_t size) {
    const auto bytes = take_bytes(size);
    if (bytes.size() > 8) {
      auto* value = make(Kind::big_integer);
      value->text = std::string(bytes);
      return push(value);
    }
    std::uint64_t bits = 0;
    std::memcpy(&bits, bytes.data(), bytes.size());
    if (!bytes.empty() && bytes.size() < 8 &&
        (static_cast<unsigned char>(bytes.back()) & 0x80U) != 0) {
      bits |= ~std::uint64_t{0} << (8 * bytes.size());  // the sign
    }
    push(make_integer(Kind::integer, static_cast<std::int64_t>(bits)));
  }

  void push_real() {
    std::uint64_t bits = 0;  // big-endian, as nothing else here
    for (int i = 0; i < 8; ++i) bits = bits << 8U | take<std::uint8_t>();
    auto* value = make(Kind::real);
    value->real = std::bit_cast<double>(bits);
    push(value);
  }

  void push_text(Kind kind, std::uint64_t size) {
    auto* value = make(kind);
    value->text = std::string(take_bytes(size));
    push(value);
  }

  void push_tuple(std::vector<const PickleValue*> items) {
    auto* value = make(Kind::tuple);
    value->items = std::move(items);
    push(value);
  }

  void push(PickleValue* value) { stack_.push_back(value); }

  PickleValue* top() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back()))
      malformed("takes from an empty stack");
    return stack_.back();
  }

  PickleValue* top(Kind kind, std::string_view opcode) {
    auto* value = top();
    if (value->kind != kind) {
      fail(fmt::format("has {} at byte {} for something that is no {}, which Cloze does not read",
                       opcode, at_, kind == Kind::list ? "list" : "dictionary"));
    }
    return value;
  }

  std::vector<const PickleValue*> pop(std::size_t count) {
    const auto floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() - floor < count) malformed("takes from an empty stack");
    std::vector<const PickleValue*> items(stack_.end() - static_cast<std::ptrdiff_t>(count),
                                          stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }

  std::vector<const PickleValue*> pop_mark() {
    if (marks_.empty()) malformed("ends a group that it never began");
    auto items = pop(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }

  static void extend(PickleValue* container, std::vector<const PickleValue*> items) {
    container->items.insert(container->items.end(), items.begin(), items.end());
  }

  PickleValue* remembered(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end())
      malformed(fmt::format("refers to value {}, which it never had", index));
    return found->second;
  }

  PickleValue* make(Kind kind) {
    check_size();
    auto& value = pickle_->values_.emplace_back();
    value.kind = kind;
    return &value;
  }

  PickleValue* make_integer(Kind kind, std::int64_t integer) {
    auto* value = make(kind);
    value->integer = integer;
    return value;
  }

  template <class T>
  T take() {
    T value;
    std::memcpy(&value, take_bytes(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::string_view take_bytes(std::uint64_t size) {
    if (size > bytes_.size() - position_) {
      fail(fmt::format("is truncated: {} bytes are wanted at byte {}, and {} are left", size,
                       position_, bytes_.size() - position_));
    }
    const std::string_view taken(reinterpret_cast<const char*>(bytes_.data()) + position_, size);
    position_ += size;
    return taken;
  }

  std::string_view take_line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + position_,
                                bytes_.size() - position_);
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) malformed("ends within a line");
    position_ += end + 1;
    return rest.substr(0, end);
  }

  [[noreturn]] void refuse(unsigned char opcode) const {
    const auto* const known = std::find_if(
        kRefused.begin(), kRefused.end(), [&](const auto& entry) { return entry.first == opcode; });
    if (known == kRefused.end()) {
      malformed(fmt::format("has no opcode there, but 0x{:02x}", opcode));
    }
    fail(
        fmt::format("has the opcode {} at byte {}, which weights have no need of; it was refused, "
                    "and nothing in the file was run",
                    known->second, at_));
  }

  [[noreturn]] void malformed(const std::string& what) const {
    fail(fmt::format("{} (at byte {}): it is damaged", what, at_));
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: the pickle {}", *origin_, what));
  }

  Pickle* pickle_;
  std::span<const std::byte> bytes_;
  const std::string* origin_;
  GlobalFilter allowed_;
  std::size_t position_ = 0, at_ = 0;  // of the next byte, of the current opcode
  std::size_t copied_ = 0;
  PickleValue* none_ = nullptr;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;  // sizes of the stack where groups begin
  std::unordered_map<std::uint64_t, PickleValue*> memo_;
};

Pickle::Pickle(std::span<const std::byte> bytes, const std::string& origin, GlobalFilter allowed) {
  PickleMachine(*this, bytes, origin, allowed).run();
}

const PickleValue* find(const PickleValue& dict, std::string_view key) {
  for (std::size_t i = 0; dict.is(Kind::dict) && i + 1 < dict.items.size(); i += 2) {
    if (dict.items[i]->is(Kind::text) && dict.items[i]->text == key) return dict.items[i + 1];
  }
  return nullptr;
}

}  // namespace cloze
