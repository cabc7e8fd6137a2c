#include "text/files/piece_score.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

namespace cloze::text {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kMostPower = 308;

double parsed(std::string_view text) {
  double value = kInfinity;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double power_of_ten(int exponent) {
  static const auto kPowers = [] {
    std::array<double, kMostPower + 1> powers{};
    for (int i = 0; i <= kMostPower; ++i) {
      powers[static_cast<std::size_t>(i)] = parsed("1e" + std::to_string(i));
    }
    return powers;
  }();
  return kPowers[static_cast<std::size_t>(exponent)];
}

// digits * 10^exponent, as tokenizers (by way of serde_json) computes it.
double scaled(std::uint64_t digits, std::int64_t exponent) {
  auto value = static_cast<double>(digits);
  while (value != 0 && exponent < -kMostPower) {
    value /= 1e308;
    exponent += kMostPower;
  }
  if (value == 0) return 0;
  if (exponent > kMostPower) return kInfinity;
  return exponent >= 0 ? value * power_of_ten(static_cast<int>(exponent))
                       : value / power_of_ten(static_cast<int>(-exponent));
}

double read_as_tokenizers(std::string_view number) {
  const bool negative = number.starts_with('-');
  if (negative) number.remove_prefix(1);
  std::uint64_t digits = 0;
  std::int64_t exponent = 0;
  bool fraction = false;
  bool full = false;  // further digits are left out
  std::size_t at = 0;
  for (; at < number.size() && number[at] != 'e' && number[at] != 'E'; ++at) {
    if (number[at] == '.') {
      fraction = true;
      continue;
    }
    const auto digit = static_cast<std::uint64_t>(number[at] - '0');
    constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
    full = full || digits > kMost / 10 || (digits == kMost / 10 && digit > kMost % 10);
    if (full) {
      exponent += fraction ? 0 : 1;
    } else {
      digits = digits * 10 + digit;
      exponent -= fraction ? 1 : 0;
    }
  }
  if (at < number.size()) {
    auto text = number.substr(at + 1);
    if (text.starts_with('+')) text.remove_prefix(1);
    const bool down = text.starts_with('-');
    std::int32_t stated =
        down ? std::numeric_limits<std::int32_t>::min() : std::numeric_limits<std::int32_t>::max();
    std::from_chars(text.data(), text.data() + text.size(), stated);
    exponent += stated;
  }
  const double value = scaled(digits, exponent);
  return negative ? -value : value;
}

std::string shortest(double value) {
  std::array<char, 32> text{};
  char* const end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  std::string result(text.data(), end);
  // A number without a point would be an integer to some readers.
  if (result.find_first_of(".en") == std::string::npos) result += ".0";
  return result;
}

}  // namespace

double read_score(std::string_view number, Decimals decimals) {
  return decimals == Decimals::exact ? parsed(number) : read_as_tokenizers(number);
}

std::string write_score(double score, Decimals decimals) {
  auto text = shortest(score);
  if (read_score(text, decimals) == score) return text;
  // With more digits, or fewer, the division ends at another last bit.
  const double size = std::abs(score);
  const int places = 18 - static_cast<int>(std::floor(std::log10(size)));
  for (int power = places; power > places - 6; --power) {
    const auto digits =
        static_cast<double>(static_cast<long double>(size) * std::pow(10.0L, power));
    for (double up = digits, down = digits, steps = 0; steps < 4; ++steps) {
      for (const double other : {up, down}) {
        if (!(other < 1.8e19)) continue;
        auto candidate =
            fmt::format("{}{}e{}", score < 0 ? "-" : "", static_cast<std::uint64_t>(other), -power);
        if (read_score(candidate, decimals) == score) return candidate;
      }
      up = std::nextafter(up, kInfinity);
      down = std::nextafter(down, 0);
    }
  }
  return text;
}

}  // namespace cloze::text
