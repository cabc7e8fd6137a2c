/// \file
/// BERT's published sizes by name: tiny to medium of "Well-Read Students Learn Better" (Turc et
/// al., arXiv:1908.08962), base and large of the first paper (Devlin et al., arXiv:1810.04805).
#pragma once

#include <string>
#include <string_view>

#include "cloze/config.h"

#pragma GCC visibility push(default)
namespace cloze {

/// The configuration of "tiny", "mini", "small", "medium", "base" or "large", uncased vocabulary
/// size. Throws ArgumentError for another name.
[[nodiscard]] BertConfig named_config(std::string_view name);

/// "tiny, mini, small, medium, base, large".
[[nodiscard]] std::string known_sizes();

}  // namespace cloze

#pragma GCC visibility pop
