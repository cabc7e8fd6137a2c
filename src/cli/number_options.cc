#include "cli/number_options.h"

#include "cli/format.h"

namespace cloze::cli {

std::string quoted(std::string_view text) { return '"' + shortened(text, 60) + '"'; }

void require_value(const std::string& name, std::string_view text) {
  if (text.empty()) throw UsageError(name + " has an empty value");
}

double number_from(const std::string& name, std::string_view text, const NumberRange& range) {
  require_value(name, text);
  double value = 0;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool read = error == std::errc() && stopped == text.data() + text.size();
  // No comparison holds for NaN.
  const bool high_enough = range.above ? value > range.lowest : value >= range.lowest;
  if (read && high_enough && value <= range.highest) return value;
  throw UsageError(fmt::format("{} is {}: it must be a number {} {:g}, at most {:g}", name,
                               quoted(text), range.above ? "above" : "from", range.lowest,
                               range.highest));
}

CLI::Option* add_number(CLI::App& app, const std::string& name,
                        const std::function<void(double)>& set, const std::string& about,
                        const NumberRange& range) {
  const auto read = [set, range, name](const std::string& text) {
    set(number_from(name, text, range));
  };
  return app.add_option_function<std::string>(name, read, about)->type_name("FLOAT");
}

CLI::Option* add_number(CLI::App& app, const std::string& name, double& target,
                        const std::string& about, const NumberRange& range) {
  return add_number(
             app, name, [&target](double value) { target = value; }, about, range)
      ->default_str(fmt::format("{:g}", target));
}

CLI::Option* add_number(CLI::App& app, const std::string& name, std::optional<double>& target,
                        const std::string& about, const NumberRange& range) {
  return add_number(
      app, name, [&target](double value) { target = value; }, about, range);
}

CLI::Option* add_seed(CLI::App& app, std::uint64_t& target, const std::string& about) {
  const auto read = [&target](const std::string& text) {
    target = count_from<std::uint64_t>("--seed", text, std::uint64_t{0},
                                       std::numeric_limits<std::uint64_t>::max());
  };
  return app.add_option_function<std::string>("--seed", read, about)
      ->type_name("N")
      ->default_str(fmt::format("{}", target));
}

}  // namespace cloze::cli
