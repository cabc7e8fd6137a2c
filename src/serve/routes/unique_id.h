/// \file
/// Names that no two requests share.
#pragma once

#include <string>

namespace cloze::serve {

/// A random UUID (version 4), such as "0b4f6c3e-8f0e-4f0a-9d3e-2f6f7c9d1a55". From any thread.
[[nodiscard]] std::string unique_id();

}  // namespace cloze::serve
