#include "places.h"

namespace cloze {

const char* const kSourceDir = CLOZE_SOURCE_DIR;
const char* const kClozeBinary = CLOZE_BINARY;

}  // namespace cloze
