#include "hub/http.h"

#include <algorithm>
#include <exception>

#include <fmt/format.h>

#include "core/environment.h"
#include "core/strings.h"
#include "hub/curl_library.h"

namespace cloze::http {
namespace {

template <class Value>
void set(CURL* handle, CURLoption option, Value value) {
  if (curl_library().easy_setopt(handle, option, value) != CURLE_OK) {
    throw Error(fmt::format("libcurl does not know its option {}", static_cast<int>(option)));
  }
}

/// What libcurl's callbacks need of an exchange under way.
struct Exchange {
  CURL* handle;
  const Sink* sink;
  const std::atomic<bool>* cancelled;
  Response response;
  std::exception_ptr failure;
  std::string error = std::string(CURL_ERROR_SIZE, '\0');

  [[nodiscard]] bool given_up() const {
    return cancelled != nullptr && cancelled->load(std::memory_order_relaxed);
  }
};

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view line(data, size * count);
  // A second status line ("100 Continue", a proxy's answer) begins the headers anew.
  if (line.starts_with("HTTP/")) exchange.response.headers.clear();
  if (const auto colon = line.find(':'); colon != std::string_view::npos) {
    exchange.response.headers.insert_or_assign(lower_ascii(line.substr(0, colon)),
                                               trimmed(line.substr(colon + 1)));
  }
  return line.size();
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view piece(data, size * count);
  auto& response = exchange.response;
  try {
    curl_library().easy_getinfo(exchange.handle, CURLINFO_RESPONSE_CODE, &response.status);
    if (*exchange.sink && (response.status == 200 || response.status == 206)) {
      (*exchange.sink)(response, std::as_bytes(std::span(piece)));
    } else {
      if (response.body.size() + piece.size() > Client::largest_body) {
        throw FormatError(fmt::format("an answer of over {} MiB is not what was asked for",
                                      Client::largest_body >> 20U));
      }
      response.body += piece;
    }
  } catch (...) {
    exchange.failure = std::current_exception();
    return CURL_WRITEFUNC_ERROR;
  }
  return piece.size();
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(user)->given_up() ? 1 : 0;
}

/// The parts of a parsed URL; empty where it has none.
std::string part_of(CURLU* url, CURLUPart part, unsigned int flags = 0) {
  char* text = nullptr;
  if (curl_library().url_get(url, part, &text, flags) != CURLUE_OK) return {};
  const std::unique_ptr<char, void (*)(void*)> owner(text, curl_library().free);
  return text;
}

using Url = std::unique_ptr<CURLU, void (*)(CURLU*)>;

Url parsed(const std::string& text) {
  Url url(curl_library().url(), curl_library().url_cleanup);
  if (curl_library().url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK)
    return {nullptr, nullptr};
  const auto scheme = part_of(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return {nullptr, nullptr};
  return url;
}

bool is_temporary(CURLcode code) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_LOGIN_DENIED:
      return false;
    default:
      return true;
  }
}

}  // namespace

std::string_view Response::header(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

Client::Client(const std::atomic<bool>* cancelled)
    : handle_(nullptr, curl_library().easy_cleanup), cancelled_(cancelled) {
  start_anew();
}

void Client::start_anew() {
  handle_.reset(curl_library().easy_init());
  if (!handle_) throw Error("libcurl has no memory for a connection");
}

Response Client::exchange(const Request& request, const Sink& sink) {
  CURL* handle = handle_.get();
  Exchange exchange{
      .handle = handle, .sink = &sink, .cancelled = cancelled_, .response = {}, .failure = {}};
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(nullptr,
                                                             curl_library().slist_free_all);
  for (const auto& header : request.headers) {
    auto* longer = curl_library().slist_append(headers.get(), header.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(headers.release());
    headers.reset(longer);
  }

  curl_library().easy_reset(handle);  // connections stay
  set(handle, CURLOPT_URL, request.url.c_str());
  set(handle, CURLOPT_NOBODY, request.head ? 1L : 0L);
  set(handle, CURLOPT_HTTPHEADER, headers.get());
  set(handle, CURLOPT_USERAGENT, "cloze");
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  set(handle, CURLOPT_FOLLOWLOCATION, 0L);
  set(handle, CURLOPT_NOSIGNAL, 1L);
  const auto seconds = static_cast<long>(request.timeout.count());
  set(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect.count()));
  set(handle, CURLOPT_QUICK_EXIT, 1L);  // or it would wait for a name server that does not answer
  set(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(handle, CURLOPT_LOW_SPEED_TIME, seconds);
  set(handle, CURLOPT_BUFFERSIZE, 1L << 18);
  set(handle, CURLOPT_ERRORBUFFER, exchange.error.data());
  // As the curl command and Python's clients do; libcurl alone looks at the compiled-in place only.
  if (const auto file = environment_variable("SSL_CERT_FILE"))
    set(handle, CURLOPT_CAINFO, file->c_str());
  set(handle, CURLOPT_HEADERFUNCTION, on_header);
  set(handle, CURLOPT_HEADERDATA, &exchange);
  set(handle, CURLOPT_WRITEFUNCTION, on_body);
  set(handle, CURLOPT_WRITEDATA, &exchange);
  set(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  set(handle, CURLOPT_XFERINFODATA, &exchange);
  set(handle, CURLOPT_NOPROGRESS, 0L);

  const CURLcode result = curl_library().easy_perform(handle);
  if (exchange.failure) std::rethrow_exception(exchange.failure);
  if (exchange.given_up()) throw Cancelled();
  if (result != CURLE_OK) {
    start_anew();
    const auto detail = exchange.error.substr(0, exchange.error.find('\0'));
    throw ConnectionError(detail.empty() ? curl_library().easy_strerror(result) : detail,
                          is_temporary(result), !exchange.response.headers.empty());
  }
  auto& response = exchange.response;
  response.url = request.url;
  curl_library().easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &response.status);
  curl_off_t wait = 0;
  if (!response.header("retry-after").empty() &&
      curl_library().easy_getinfo(handle, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK) {
    response.retry_after = std::chrono::seconds(wait);
  }
  return std::move(response);
}

std::string resolve_url(const std::string& base, const std::string& location) {
  const auto url = parsed(base);
  if (!url || location.empty()) return {};
  if (curl_library().url_set(url.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) return {};
  const auto whole = part_of(url.get(), CURLUPART_URL);
  return parsed(whole) ? whole : std::string();
}

std::string origin_of(const std::string& url) {
  const auto parts = parsed(url);
  if (!parts) return {};
  const auto host = lower_ascii(part_of(parts.get(), CURLUPART_HOST));
  return fmt::format("{}://{}:{}", part_of(parts.get(), CURLUPART_SCHEME), host,
                     part_of(parts.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

}  // namespace cloze::http
