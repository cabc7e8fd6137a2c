/// \file
/// Python's pickle (https://docs.python.org/3/library/pickletools.html), read without Python and
/// without ever calling anything: numbers, strings and plain containers become values, and where a
/// pickle asks for a function to be called, that it asked, and with what, is all that is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cloze {

struct PickleValue {
  enum class Kind : std::uint8_t {
    none,
    boolean,
    integer,
    big_integer,  ///< beyond 64 bits: `text` is its bytes, little-endian two's complement
    real,
    text,        ///< UTF-8, as the pickle has it
    bytes,       ///< in `text`
    tuple,       ///< `items`
    list,        ///< `items`
    dict,        ///< `items`: key, value, key, value; also collections.OrderedDict
    global,      ///< `text`: "module.name"
    call,        ///< `text`: the global to be called, `items`: its arguments
    persistent,  ///< `items`: the one value that names something kept outside the pickle
  };
  Kind kind = Kind::none;
  std::int64_t integer = 0;  ///< also 0 or 1 of a boolean
  double real = 0;
  std::string text{};
  std::vector<const PickleValue*> items{};

  [[nodiscard]] bool is(Kind wanted) const { return kind == wanted; }
};

/// The value that `key` has in a dict, or null.
[[nodiscard]] const PickleValue* find(const PickleValue& dict, std::string_view key);

/// Which globals a pickle may name ("collections.OrderedDict" always may).
using GlobalFilter = bool (*)(std::string_view global);

/// One pickle. Values live as long as it does.
class Pickle {
 public:
  /// Reads the pickle that `bytes` begin with. `origin` begins the messages. Throws FormatError:
  /// truncated, malformed, an opcode or a global that is not allowed (by its name), or more than
  /// any list of weights has reason to hold.
  Pickle(std::span<const std::byte> bytes, const std::string& origin, GlobalFilter allowed);

  [[nodiscard]] const PickleValue& value() const { return *value_; }
  [[nodiscard]] std::size_t size() const { return size_; }  ///< bytes read

 private:
  friend class PickleMachine;
  std::deque<PickleValue> values_;  // all of them: containers may hold each other in a circle
  const PickleValue* value_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace cloze
