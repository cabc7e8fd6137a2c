#include "text/japanese/mecab_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "cloze/error.h"
#include "core/threads/fork_gate.h"

namespace cloze::text {
namespace {

template <class Function>
void find(void* library, const char* name, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, symbol));
  if (function == nullptr) throw Error(fmt::format("{} has no {}: update it", name, symbol));
}

}  // namespace

MecabLibrary load_mecab_library(const char* name) {
  // Never closed: models of it may live to the end of the process.
  void* library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw Error(
        fmt::format("Japanese words need the library MeCab, {} (Debian's package libmecab2, "
                    "and mecab-ipadic-utf8 for a dictionary), which is not installed: {}",
                    name, ::dlerror()));  // NOLINT(concurrency-mt-unsafe): of this thread
  }
  MecabLibrary mecab{};
  find(library, name, "mecab_model_new", mecab.model_new);
  find(library, name, "mecab_model_destroy", mecab.model_destroy);
  find(library, name, "mecab_model_new_tagger", mecab.model_new_tagger);
  find(library, name, "mecab_destroy", mecab.destroy);
  find(library, name, "mecab_sparse_tonode2", mecab.sparse_tonode2);
  find(library, name, "mecab_strerror", mecab.strerror);
  return mecab;
}

const MecabLibrary& mecab_library() {
  const ForkPass pass;  // the first caller holds the compiler's lock of a static
  static const MecabLibrary library = load_mecab_library(kMecabLibrary);
  return library;
}

}  // namespace cloze::text
