/// \file
/// An inspection for programs (JSON) and for people (a page).
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "inspect/inspection.h"

namespace cloze {

/// What is written goes here, piece by piece: a text of 512 tokens has 37 million probabilities.
using TextSink = std::function<void(std::string_view)>;

/// One JSON object and a line end; docs/inspect.md names its fields. Numbers have 6 digits.
void write_json(const Inspection& inspection, const TextSink& sink);

struct PageOptions {
  std::size_t most_bytes = 2'900'000;  ///< of the page: what attention is packed into
};

/// One HTML file that needs nothing but a browser. Attention is quantised and its small values are
/// dropped where the page would be too large (attention_codec.h); the page says what was.
[[nodiscard]] std::string inspection_page(const Inspection& inspection,
                                          const PageOptions& options = {});

}  // namespace cloze
