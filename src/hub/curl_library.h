/// \file
/// libcurl, loaded when first needed. It brings some thirty libraries along, which take a fifth of
/// the time from a command's start to its first vector; only a download pays for them.
#pragma once

#include <curl/curl.h>

namespace cloze::http {

/// libcurl's functions, by their names without the prefix "curl_".
struct CurlLibrary {
  decltype(&curl_global_init) global_init;
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_perform) easy_perform;
  decltype(&curl_easy_getinfo) easy_getinfo;
  decltype(&curl_easy_reset) easy_reset;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
  decltype(&curl_url) url;
  decltype(&curl_url_cleanup) url_cleanup;
  decltype(&curl_url_set) url_set;
  decltype(&curl_url_get) url_get;
  decltype(&curl_free) free;
};

/// The library, ready for use by any thread. Throws Error when the system has none.
[[nodiscard]] const CurlLibrary& curl_library();

}  // namespace cloze::http
