/// \file
/// The files of src/inspect/page, compiled in (cmake/EmbedFiles.cmake).
#pragma once

#include <string_view>

namespace cloze::page {

extern const std::string_view base_css, base_js;
extern const std::string_view inspect_html, inspect_css;
extern const std::string_view inflate_js, attention_js, heads_js, attribution_js, layers_js,
    masks_js;
extern const std::string_view map_html, map_css, map_js;

}  // namespace cloze::page
