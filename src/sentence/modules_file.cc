#include "sentence/modules_file.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/known_fields.h"
#include "core/json.h"

namespace cloze {
namespace {

using Json = nlohmann::json;

/// A module's place, which must lie inside the directory and be short enough for a path.
std::filesystem::path module_path(const std::filesystem::path& directory, const Json& module) {
  constexpr std::size_t kLongest = 255;
  const std::filesystem::path path(module.value("path", ""));
  if (path.is_absolute() || path.native().size() > kLongest ||
      std::find(path.begin(), path.end(), "..") != path.end()) {
    throw FormatError(fmt::format("{} names the module {}, which is not inside the directory",
                                  (directory / "modules.json").string(), in_quotes(path.string())));
  }
  return path.empty() ? directory : directory / path;
}

void check_entry(const Json& module, const std::string& origin,
                 std::vector<std::string>& warnings) {
  using enum KnownField::Effect;
  constexpr std::array kFields{
      KnownField{"idx", harmless}, KnownField{"name", harmless}, KnownField{"path"},
      KnownField{"type"},
      KnownField{"kwargs", refused, "null|[]|{}", "Cloze's modules take no arguments of a call"}};
  check_fields(module, kFields, origin, warnings);
}

}  // namespace

bool ModuleEntry::is_transformer() const {
  const auto last = name();
  return last == "Transformer" || last == "BERT" || last == "DistilBERT" ||
         last == "MLMTransformer";
}

bool ModuleEntry::foreign() const {
  return type.find('.') != std::string::npos && !type.starts_with("sentence_transformers.");
}

std::optional<std::vector<ModuleEntry>> read_modules(const std::filesystem::path& directory,
                                                     std::vector<std::string>* warnings) {
  const auto path = directory / "modules.json";
  if (!files::exists(path)) return std::nullopt;
  const auto list = parse_json(files::read_text(path), path.string());
  try {
    std::vector<ModuleEntry> modules;
    for (const auto& module : list) {
      modules.push_back({module.at("type").get<std::string>(), module_path(directory, module)});
      if (warnings != nullptr) check_entry(module, path.string(), *warnings);
    }
    return modules;
  } catch (const Json::exception& error) {
    throw FormatError(fmt::format("{} is not a list of modules: {}", path.string(),
                                  describe_json_error(error.what())));
  }
}

void refuse_module(const std::filesystem::path& directory, const std::string& type,
                   std::string_view why, std::string_view remedy) {
  throw ModelError(fmt::format("{} has a module {}{}: {}", (directory / "modules.json").string(),
                               in_quotes(type), why, remedy));
}

}  // namespace cloze
