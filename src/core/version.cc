#include "cloze/version.h"

namespace cloze {

std::string_view version() { return CLOZE_VERSION; }

}  // namespace cloze
