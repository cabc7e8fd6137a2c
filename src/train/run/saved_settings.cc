#include "train/run/saved_settings.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>

#include "core/strings.h"
#include "core/utf8.h"

namespace cloze::internal {
namespace {

std::string fingerprint_text(std::uint64_t fingerprint) {
  return fmt::format("{:016x}", fingerprint);
}

constexpr const char* kText = "text";
constexpr const char* kBytes = "bytes";

}  // namespace

nlohmann::json setting_json(const std::string& text) {
  if (utf8::valid_prefix(text) == text.size()) return text;
  std::string bytes;
  for (const char byte : text) bytes += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return {{kText, std::string(utf8::ValidText(text).text())}, {kBytes, bytes}};
}

void read_setting(const nlohmann::json& json, std::string& text) {
  if (!json.is_object()) {
    json.get_to(text);
    return;
  }
  const auto bytes = json.at(kBytes).get<std::string>();
  constexpr int kBase = 16;
  text.clear();
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    unsigned byte = 0;
    const char* const end = bytes.data() + std::min(i + 2, bytes.size());
    const auto [stopped, error] = std::from_chars(bytes.data() + i, end, byte, kBase);
    if (error != std::errc() || stopped != end || end != bytes.data() + i + 2) {
      throw ArgumentError("its bytes are not pairs of hexadecimal digits");
    }
    text += static_cast<char>(byte);
  }
}

std::string run_json(const std::vector<SavedSetting>& settings, std::uint64_t fingerprint) {
  nlohmann::ordered_json json;
  for (const auto& setting : settings) json[setting.name] = setting.value;
  json[kFingerprint] = fingerprint_text(fingerprint);
  return json.dump(2) + '\n';
}

bool began_with(const std::string& run_json, std::uint64_t fingerprint, const std::string& origin) {
  const auto saved = parse_json_object(run_json, origin);
  const auto found = required_json_field<nlohmann::json>(saved, kFingerprint, origin);
  if (!found.is_string()) {
    throw FormatError(
        fmt::format("{}: \"{}\" is {}, which is of the wrong type: it is what the run writes there "
                    "of its data, and not to be edited",
                    origin, kFingerprint, json_excerpt(found)));
  }
  return found.get<std::string>() == fingerprint_text(fingerprint);
}

void require_unchanged(const std::vector<SavedSetting>& given,
                       const std::vector<SavedSetting>& began, const std::string& run_json,
                       const std::string& origin, const TrainingCallbacks& callbacks) {
  const auto saved = parse_json_object(run_json, origin);
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto& setting = given[i];
    const auto& before = began[i].value;
    if (!saved.contains(setting.name) || setting.value == before) continue;
    if (!setting.may_change) {
      throw ArgumentError(fmt::format(
          "{} was {} when the run began and cannot become {}: leave it out to go on, or begin "
          "another run",
          setting.name, json_excerpt(before), json_excerpt(setting.value)));
    }
    if (!callbacks.message) continue;
    callbacks.message(MessageKind::note,
                      fmt::format("{} was {}, is {} from here on", setting.name,
                                  json_excerpt(before), json_excerpt(setting.value)));
  }
}

}  // namespace cloze::internal
