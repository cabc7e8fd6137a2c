/// \file
/// A page's parts put together: text into a template, data into a script that cannot end early.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace cloze::page {

/// `text` with every `{{name}}` of `parts` replaced by its part, in one pass: parts are not looked
/// into. Throws Error for a name that has no part.
[[nodiscard]] std::string fill(
    std::string_view text, std::span<const std::pair<std::string_view, std::string_view>> parts);

/// Text as HTML shows it: & < > " ' escaped.
[[nodiscard]] std::string escape_html(std::string_view text);

/// JSON that may stand inside a <script> element: <, > and & as \u003c and so on, which JSON reads
/// back, and line separators that old JavaScript does not allow.
[[nodiscard]] std::string escape_script(std::string_view json);

}  // namespace cloze::page
