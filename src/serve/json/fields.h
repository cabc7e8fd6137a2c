/// \file
/// The fields of a request, with errors that name them. A field that is null counts as absent, as
/// clients mean it; fields that nobody asks for are ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace cloze::serve {

/// A view of an object; `where` begins the names in messages: "parameters.".
class Fields {
 public:
  /// Throws RequestError unless `object` is one.
  explicit Fields(const nlohmann::json& object, std::string where = "");

  /// The value; null where it is absent.
  [[nodiscard]] const nlohmann::json* find(const std::string& name) const;
  [[nodiscard]] bool has(const std::string& name) const { return find(name) != nullptr; }

  // Each throws RequestError (422) for a value of another kind; `need` also for an absent one.
  [[nodiscard]] const nlohmann::json& need(const std::string& name) const;
  [[nodiscard]] std::string need_text(const std::string& name) const;
  [[nodiscard]] std::optional<std::string> text(const std::string& name) const;
  [[nodiscard]] bool boolean(const std::string& name, bool otherwise) const;
  [[nodiscard]] std::optional<bool> boolean(const std::string& name) const;
  /// A whole number in [lowest, highest].
  [[nodiscard]] std::optional<std::int64_t> count(const std::string& name, std::int64_t lowest,
                                                  std::int64_t highest) const;
  /// A list of strings, of `most` at most.
  [[nodiscard]] std::optional<std::vector<std::string>> texts(const std::string& name,
                                                              std::size_t most) const;
  /// The object `name`, which may be absent: then it is an empty one.
  [[nodiscard]] Fields object(const std::string& name) const;

  /// The field's name as messages have it: "`parameters.top_k`".
  [[nodiscard]] std::string shown(const std::string& name) const;

 private:
  const nlohmann::json* object_;
  std::string where_;
};

/// "a string", "a number", "a list", ... for a message.
[[nodiscard]] std::string kind_of(const nlohmann::json& value);

/// The part of a client's text that a message may hold: the first characters, in quotes.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace cloze::serve
