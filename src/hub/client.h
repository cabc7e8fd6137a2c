/// \file
/// What Cloze asks the Hub: which files a revision has, what a file is, and its content. Knows
/// tokens, redirects and retries, and turns refusals into sentences that say what to do.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/error.h"
#include "cloze/hub.h"
#include "core/clock.h"
#include "hub/http.h"
#include "hub/names.h"

namespace cloze::hub {

/// A failure that another try may mend: a cut connection, a busy or broken server.
class TemporaryError : public IoError {
 public:
  explicit TemporaryError(const std::string& what, std::optional<std::chrono::seconds> wait = {})
      : IoError(what), wait(wait) {}
  std::optional<std::chrono::seconds> wait;  ///< what the server asks for
};

/// What a revision is.
struct Revision {
  std::string commit;
  std::vector<std::string> files;  ///< every one of them a safe relative path
};

/// What a file is, before it is downloaded.
struct RemoteFile {
  std::string name;
  std::string etag;                  ///< a checksum (hub_checksum.h), and the name of its blob
  std::optional<std::int64_t> size;  ///< absent when the server does not say
};

/// For one thread. Every member retries what may be mended, at most `attempts` times; then, and for
/// anything else, it throws IoError or FormatError.
class Client {
 public:
  /// Whether somebody has reached the Hub before. Until then all tries together end after
  /// `reach_timeout`.
  enum class Reached : std::uint8_t { no, yes };

  /// `settings` and `cancelled` outlive the client. http::Cancelled comes out of any member soon
  /// after `cancelled` becomes true.
  Client(const HubSettings& settings, Reference reference, const std::atomic<bool>* cancelled,
         Reached reached);

  /// `GET /api/models/NAME/revision/REVISION`. FormatError for an answer that is not one, and for a
  /// file name that would lead out of the model's directory.
  [[nodiscard]] Revision resolve();

  /// `HEAD /NAME/resolve/COMMIT/FILE`, not followed to another host: the Hub itself knows the
  /// checksum (`X-Linked-Etag`, else `ETag`) and the size (`X-Linked-Size`, else `Content-Length`).
  [[nodiscard]] RemoteFile describe(const std::string& commit, const std::string& file);

  /// Takes the file's bytes as they come. `restart` is called first when they begin at the file's
  /// start although `offset` was asked for: what is there already is to be forgotten.
  struct Receiver {
    std::function<void()> restart;
    std::function<void(std::span<const std::byte>)> write;
  };
  /// One try to get the bytes from `offset` on. Throws TemporaryError when it was cut short.
  void download(const std::string& commit, const std::string& file, std::int64_t offset,
                const Receiver& receiver);

  /// Calls `attempt` until it throws no TemporaryError, `attempts` times at most (twice while the Hub
  /// has never been reached), waiting in between: as long as the server asks for, else `backoff`,
  /// doubled with every try. `progressed`, if given, tells whether an attempt that failed moved
  /// things on; such a one does not count.
  void patiently(const std::function<void()>& attempt,
                 const std::function<bool()>& progressed = {}) const;

 private:
  enum class Redirects : std::uint8_t { everywhere, own_host };
  /// `what` begins messages: the file or revision that is asked for.
  [[nodiscard]] http::Response exchange(const std::string& what, http::Request request,
                                        Redirects redirects, const http::Sink& sink = {});
  [[noreturn]] void refuse(const http::Response& response, const std::string& what) const;
  [[nodiscard]] std::string url_of(const std::string& commit, const std::string& file) const;
  void wait(std::chrono::milliseconds time) const;
  /// What is left of `reach_timeout`.
  [[nodiscard]] std::chrono::milliseconds left_to_reach() const;

  const HubSettings* settings_;
  Reference reference_;
  const std::atomic<bool>* cancelled_;
  http::Client http_;
  bool reached_;                            // whether any request ever had an answer
  std::optional<Clock::time_point> begun_;  // the first request
};

}  // namespace cloze::hub
