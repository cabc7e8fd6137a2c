/// \file
/// Where the tests find the source tree and the command. In one object file: no other depends on
/// where the tree lies, so compilers' caches serve every clone.
#pragma once

namespace cloze {

extern const char* const kSourceDir;    ///< the root of the source tree
extern const char* const kClozeBinary;  ///< the command of this build

}  // namespace cloze
