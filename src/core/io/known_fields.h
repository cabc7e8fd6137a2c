/// \file
/// Tables of the fields that a kind of settings file may have, and what becomes of each: a field is
/// read, changes nothing, or is refused by its name; one that no table knows is warned of.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace cloze {

/// A field that some version of a library writes into a file.
struct KnownField {
  enum class Effect : std::uint8_t {
    read,      ///< whoever reads the file honours it, or refuses its value
    harmless,  ///< changes nothing of what Cloze computes
    refused,   ///< changes it in a way that Cloze does not have, but for `harmless_values`
  };
  std::string_view name{};
  Effect effect = Effect::read;
  std::string_view harmless_values{};  ///< as JSON without spaces, parted by '|': "null|false|[]"
  std::string_view why{};              ///< what Cloze computes instead, and what to do
};

/// Throws ModelError, which `origin` begins, for a refused field of `object`.
void refuse_fields(const nlohmann::json& object, std::span<const KnownField> table,
                   const std::string& origin);

/// The names of `object` that are in none of `table`.
[[nodiscard]] std::vector<std::string> unknown_fields(const nlohmann::json& object,
                                                      std::span<const KnownField> table);

/// "FILE: Cloze does not know a, b, which are ignored".
[[nodiscard]] std::string warning_of_unknown(const std::vector<std::string>& names,
                                             const std::string& origin);

/// Both: refuses, and adds a warning where there are unknown fields.
void check_fields(const nlohmann::json& object, std::span<const KnownField> table,
                  const std::string& origin, std::vector<std::string>& warnings);

}  // namespace cloze
