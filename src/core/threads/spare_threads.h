/// \file
/// Whether the system gives threads to a library that does not ask whether it may have them.
#pragma once

namespace cloze {

/// How many further threads the system would start now, `most` at most: it is tried. libgomp ends
/// the process where it is refused one.
[[nodiscard]] int spare_threads(int most);

}  // namespace cloze
