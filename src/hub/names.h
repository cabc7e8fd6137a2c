/// \file
/// Names on the Hub: of models, revisions and files; which are taken, and how they are written in
/// URLs and in the cache.
#pragma once

#include <string>
#include <string_view>

namespace cloze::hub {

/// A model at a revision.
struct Reference {
  std::string name;               ///< "owner/name", or "name" alone (the Hub's oldest models)
  std::string revision = "main";  ///< a branch, a tag, "refs/pr/1", or a commit
};

/// Reads "owner/name@revision". Throws ArgumentError saying what is wrong with it. What it returns
/// is safe as a part of a path and of a URL.
[[nodiscard]] Reference parse_reference(std::string_view text);

/// 40 hex digits: a commit, which never means anything else later.
[[nodiscard]] bool is_commit(std::string_view revision);

/// Whether a relative path with '/' stays below the directory that it is put into: no empty, "." or
/// ".." component, no control character, nothing absolute.
[[nodiscard]] bool is_safe_path(std::string_view path);

/// Whether `text` consists of `count` lower-case hex digits.
[[nodiscard]] bool is_hex(std::string_view text, std::size_t count);

/// For a URL: everything but letters, digits and "-._~" as %XX; '/' too unless `keep_slashes`.
[[nodiscard]] std::string percent_encoded(std::string_view text, bool keep_slashes);

}  // namespace cloze::hub
