/// \file
/// Options whose value is a number: the one way in which numbers of the command line are read.
/// A number is decimal, whatever the locale ("12", "-1.5", "2e-3"), no infinity and no NaN, and lies
/// in the range of its option; any other text is a UsageError that names the option.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"

namespace cloze::cli {

/// The real numbers that an option takes.
struct NumberRange {
  double lowest = 0;
  double highest = 0;
  bool above = false;  ///< `lowest` itself is not one of them
};
[[nodiscard]] constexpr NumberRange between(double lowest, double highest) {
  return {lowest, highest};
}
[[nodiscard]] constexpr NumberRange above(double lowest, double highest) {
  return {lowest, highest, true};
}

/// The most that a number without a limit of its own can be, such as a learning rate.
inline constexpr double kLargestNumber = 1e30;

/// A word of the command line for a message: in quotes, and cut where it is long.
[[nodiscard]] std::string quoted(std::string_view text);

/// Throws UsageError for a value that is empty: a mistake, such as an unset variable of a script.
void require_value(const std::string& name, std::string_view text);

/// Reads the value of the option `name`. Throws UsageError.
[[nodiscard]] double number_from(const std::string& name, std::string_view text,
                                 const NumberRange& range);

/// The same for a whole number in [lowest, highest].
template <std::integral Number, class Limit>
[[nodiscard]] Number count_from(const std::string& name, std::string_view text, Limit lowest,
                                Limit highest) {
  require_value(name, text);
  Number value{};
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool read = error == std::errc() && stopped == text.data() + text.size();
  if (read && std::cmp_greater_equal(value, lowest) && std::cmp_less_equal(value, highest)) {
    return value;
  }
  throw UsageError(fmt::format("{} is {}: it must be a whole number from {} to {}", name,
                               quoted(text), lowest, highest));
}

/// An option with a real number, which `set` takes.
CLI::Option* add_number(CLI::App& app, const std::string& name,
                        const std::function<void(double)>& set, const std::string& about,
                        const NumberRange& range);

/// An option with a real number. The help shows its default.
CLI::Option* add_number(CLI::App& app, const std::string& name, double& target,
                        const std::string& about, const NumberRange& range);
/// The same where leaving it out means something else than any number.
CLI::Option* add_number(CLI::App& app, const std::string& name, std::optional<double>& target,
                        const std::string& about, const NumberRange& range);

/// An option with a whole number in [lowest, highest]. The help shows its default, unless that
/// lies below `lowest`: leaving the option out then means something else.
template <std::integral Number>
CLI::Option* add_count(CLI::App& app, const std::string& name, Number& target,
                       const std::string& about, std::int64_t lowest = 1,
                       std::int64_t highest = std::int64_t{1} << 30) {
  const auto read = [&target, lowest, highest,
                     shown = name.substr(0, name.find(','))](const std::string& text) {
    target = count_from<Number>(shown, text, lowest, highest);
  };
  auto* option = app.add_option_function<std::string>(name, read, about)->type_name("N");
  return std::cmp_less(target, lowest) ? option : option->default_str(fmt::format("{}", target));
}

/// An option with a list of whole numbers, commas between them.
template <std::integral Number>
CLI::Option* add_counts(CLI::App& app, const std::string& name, std::vector<Number>& target,
                        const std::string& about, std::int64_t lowest, std::int64_t highest) {
  const auto read = [&target, lowest, highest, name](const std::vector<std::string>& texts) {
    target.clear();
    for (const auto& text : texts) {
      target.push_back(count_from<Number>(name, text, lowest, highest));
    }
  };
  return app.add_option_function<std::vector<std::string>>(name, read, about)
      ->delimiter(',')
      ->allow_extra_args(false);
}

/// --seed, any of 64 bits.
CLI::Option* add_seed(CLI::App& app, std::uint64_t& target, const std::string& about);

}  // namespace cloze::cli
