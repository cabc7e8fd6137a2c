#include "hub/curl_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "cloze/error.h"
#include "core/threads/fork_gate.h"

namespace cloze::http {
namespace {

constexpr const char* kLibrary = "libcurl.so.4";  // the ABI since 2006

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) throw Error(fmt::format("{} has no {}: update it", kLibrary, name));
}

CurlLibrary load() {
  // Never closed: libcurl stays in use to the end of the process.
  void* library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw Error(fmt::format("downloading needs libcurl (Debian's package libcurl4): {}",
                            ::dlerror()));  // NOLINT(concurrency-mt-unsafe): of this thread
  }
  CurlLibrary curl{};
  find(library, "curl_global_init", curl.global_init);
  find(library, "curl_easy_init", curl.easy_init);
  find(library, "curl_easy_setopt", curl.easy_setopt);
  find(library, "curl_easy_perform", curl.easy_perform);
  find(library, "curl_easy_getinfo", curl.easy_getinfo);
  find(library, "curl_easy_reset", curl.easy_reset);
  find(library, "curl_easy_cleanup", curl.easy_cleanup);
  find(library, "curl_easy_strerror", curl.easy_strerror);
  find(library, "curl_slist_append", curl.slist_append);
  find(library, "curl_slist_free_all", curl.slist_free_all);
  find(library, "curl_url", curl.url);
  find(library, "curl_url_cleanup", curl.url_cleanup);
  find(library, "curl_url_set", curl.url_set);
  find(library, "curl_url_get", curl.url_get);
  find(library, "curl_free", curl.free);
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw Error("libcurl cannot be used here");
  return curl;
}

}  // namespace

const CurlLibrary& curl_library() {
  const ForkPass pass;  // the first caller holds the compiler's lock of a static
  static const CurlLibrary library = load();
  return library;
}

}  // namespace cloze::http
