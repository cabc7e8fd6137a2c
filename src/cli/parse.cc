// How a command line is read: CLI11 behind a face that says in plain words what is wrong.
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/format.h"
#include "cli/options.h"

namespace cloze::cli {
namespace {

// CLI11 takes a word in brackets for a list: "[MASK] and [MASK]" would lose both. A guard in front
// of such a word keeps it whole, and comes off before anything looks at the word.
constexpr char guard = '\x01';

std::string guarded(std::string word) {
  if (word.starts_with('[') || word.starts_with(guard)) word.insert(word.begin(), guard);
  return word;
}

void take_off_guards(CLI::App& app) {
  const CLI::Validator unguard(
      [](std::string& word) {
        if (word.starts_with(guard)) word.erase(0, 1);
        return std::string();
      },
      "");
  for (auto* option : app.get_options()) option->transform(unguard);
  for (auto* group : app.get_subcommands({})) take_off_guards(*group);
}

/// An empty value is a mistake, such as an unset variable of a script, unless it is a text.
void require_values(CLI::App& app) {
  for (const auto* option : app.get_options()) {
    if (option->get_positional() || option->get_type_name() == "TEXT") continue;
    for (const auto& value : option->results()) {
      if (value.empty()) throw UsageError(option->get_name() + " has an empty value");
    }
  }
  for (auto* group : app.get_subcommands({})) require_values(*group);
}

std::string value_in_quotes(std::string_view value) {
  constexpr std::size_t longest = 60;
  return fmt::format("\"{}\"", shortened(value, longest));
}

/// What CLI11 says, in our words.
std::string in_plain_words(const CLI::ParseError& error) {
  std::string what = error.what();
  const auto name = what.substr(0, what.find(':'));
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const bool missing = what.find("missing") != std::string::npos;
    return fmt::format(
        "{} {}", shortened(name, 60),
        missing ? "has no value: give it one" : "is there more than once, or has too many values");
  }
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
    // "Could not convert: --layers = a"
    const auto equals = what.find(" = ");
    if (what.starts_with("Could not convert: ") && equals != std::string::npos) {
      const auto option = what.substr(19, equals - 19);
      return fmt::format("{} is no value for {}", value_in_quotes(what.substr(equals + 3)), option);
    }
  }
  return what;
}

}  // namespace

bool parse(CLI::App& app, Arguments arguments) {
  std::vector<std::string> words;  // CLI11 takes them last first
  std::transform(arguments.rbegin(), arguments.rend(), std::back_inserter(words), guarded);
  take_off_guards(app);
  try {
    app.parse(std::move(words));
    require_values(app);
    return true;
  } catch (const CLI::CallForHelp&) {
    print(app.help());
    return false;
  } catch (const CLI::ParseError& error) {
    throw UsageError(
        fmt::format("{} ({} --help tells more)", in_plain_words(error), app.get_name()));
  }
}

}  // namespace cloze::cli
