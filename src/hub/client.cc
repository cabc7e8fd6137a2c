#include "hub/client.h"

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "core/json.h"
#include "core/numbers.h"
#include "hub/checksum.h"

namespace cloze::hub {
namespace {

using std::chrono::milliseconds;

constexpr int kMostRedirects = 10;

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// "https://host:443" without the port that the scheme implies, for messages. Never with a path or
/// a query: addresses of a content network carry signatures.
std::string shown(const std::string& origin) {
  for (const auto& [scheme, port] : {std::pair{"https://", ":443"}, std::pair{"http://", ":80"}}) {
    if (origin.starts_with(scheme) && origin.ends_with(port)) {
      return excerpt(
          std::string_view(origin).substr(0, origin.size() - std::string_view(port).size()));
    }
  }
  return excerpt(origin);
}

/// A count of bytes.
std::optional<std::int64_t> number(std::string_view text) {
  const auto value = whole_number(text);
  return value && *value >= 0 ? value : std::nullopt;
}

/// W/"abc" → abc.
std::string normalized_etag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  return std::string(etag);
}

}  // namespace

Client::Client(const HubSettings& settings, Reference reference, const std::atomic<bool>* cancelled,
               Reached reached)
    : settings_(&settings),
      reference_(std::move(reference)),
      cancelled_(cancelled),
      http_(cancelled),
      reached_(reached == Reached::yes) {}

milliseconds Client::left_to_reach() const {
  if (!begun_) return settings_->reach_timeout;
  return settings_->reach_timeout -
         std::chrono::duration_cast<milliseconds>(Clock::now() - *begun_);
}

void Client::wait(milliseconds time) const {
  const auto end = Clock::now() + time;
  while (Clock::now() < end) {
    if (cancelled_ != nullptr && cancelled_->load(std::memory_order_relaxed)) {
      throw http::Cancelled();
    }
    std::this_thread::sleep_for(std::min<milliseconds>(time, milliseconds(20)));
  }
}

void Client::patiently(const std::function<void()>& attempt,
                       const std::function<bool()>& progressed) const {
  for (int failures = 0;;) {
    try {
      attempt();
      return;
    } catch (const TemporaryError& error) {
      if (progressed && progressed()) failures = 0;
      ++failures;
      const auto pause = settings_->backoff * (std::int64_t{1} << std::min(failures - 1, 20));
      if (!reached_ && (failures >= std::min(settings_->attempts, 2) || pause > left_to_reach())) {
        throw IoError(
            fmt::format("{} ({} {}): check the network, set HF_ENDPOINT to a mirror that can be "
                        "reached, or give "
                        "the directory of a model",
                        error.what(), failures, failures == 1 ? "try" : "tries"));
      }
      if (failures >= settings_->attempts) {
        throw IoError(fmt::format("{} ({} {}): check the network, or try again later", error.what(),
                                  failures, failures == 1 ? "try" : "tries"));
      }
      if (error.wait && *error.wait > settings_->longest_wait) {
        throw IoError(fmt::format("{}, and asks for a wait of {} s: try again then", error.what(),
                                  error.wait->count()));
      }
      wait(std::min<milliseconds>(error.wait ? milliseconds(*error.wait) : pause,
                                  settings_->longest_wait));
    }
  }
}

http::Response Client::exchange(const std::string& what, http::Request request, Redirects redirects,
                                const http::Sink& sink) {
  const auto home = http::origin_of(settings_->endpoint);
  const auto plain_headers = request.headers;
  bool away = false;  // once another host is in the way, the token stays here
  std::map<std::string, std::string, std::less<>> of_the_hub;
  for (int hop = 0; hop <= kMostRedirects; ++hop) {
    request.headers = plain_headers;
    if (!away && !settings_->token.empty()) {
      request.headers.push_back("Authorization: Bearer " + settings_->token);
    }
    const auto origin = http::origin_of(request.url);
    http::Response response;
    if (!begun_) begun_ = Clock::now();
    request.connect =
        reached_ ? milliseconds(request.timeout) : std::max(left_to_reach(), milliseconds(1));
    try {
      response = http_.exchange(request, sink);
    } catch (const http::ConnectionError& error) {
      reached_ = reached_ || error.answered;
      const auto message = fmt::format("{}: {}: {}", what, shown(origin), in_quotes(error.what()));
      if (error.temporary) throw TemporaryError(message);
      throw IoError(message);
    }
    reached_ = true;
    // What the Hub itself says of a file comes with its redirect, not with the last answer.
    if (!away) {
      for (const auto& [name, value] : response.headers) {
        if (name.starts_with("x-linked-")) of_the_hub.insert_or_assign(name, value);
      }
    }
    const auto finished = [&] {
      for (const auto& [name, value] : of_the_hub) response.headers.insert_or_assign(name, value);
      return std::move(response);
    };
    if (!is_redirect(response.status)) return finished();
    const auto target = http::resolve_url(request.url, std::string(response.header("location")));
    if (target.empty()) {
      throw FormatError(fmt::format("{}: {} redirects to {}, which is no address", what,
                                    shown(origin), in_quotes(response.header("location"))));
    }
    const auto next = http::origin_of(target);
    if (origin.starts_with("https:") && next.starts_with("http:")) {
      throw FormatError(fmt::format("{}: {} redirects to {}, which is not encrypted: refused", what,
                                    shown(origin), shown(next)));
    }
    away = away || next != home;
    if (away && redirects == Redirects::own_host) return finished();
    request.url = target;
  }
  throw IoError(
      fmt::format("{}: {} redirects more than {} times", what, shown(home), kMostRedirects));
}

void Client::refuse(const http::Response& response, const std::string& what) const {
  const auto origin = http::origin_of(response.url);
  const bool home = origin == http::origin_of(settings_->endpoint);
  const auto& name = reference_.name;
  const auto& endpoint = settings_->endpoint;
  const auto message = response.header("x-error-message");
  const auto says =
      fmt::format("{}: {} answers HTTP {}{}{}", what, shown(origin), response.status,
                  message.empty() ? "" : ", ", message.empty() ? "" : in_quotes(message));
  const auto status = response.status;
  // A signed address that has run out is refused too; the next try gets a fresh one.
  if (status == 408 || status == 425 || status == 429 || status >= 500 ||
      (!home && (status == 401 || status == 403))) {
    throw TemporaryError(says, response.retry_after);
  }
  const auto code = response.header("x-error-code");
  const bool token = !settings_->token.empty();
  if (code == "GatedRepo") {
    if (token) {
      throw IoError(
          fmt::format("{} is gated, and the token of {} does not open it: ask for access on {}/{} "
                      "with the account that the token belongs to",
                      name, settings_->token_source, endpoint, name));
    }
    throw IoError(
        fmt::format("{} is gated: ask for access on {}/{}, then set HF_TOKEN to a token of that "
                    "account (or log in once with `hf auth login`)",
                    name, endpoint, name));
  }
  if (code == "RevisionNotFound") {
    throw IoError(fmt::format("{} has no revision {} on {}: check the branch, tag or commit", name,
                              in_quotes(reference_.revision), endpoint));
  }
  if (status == 401 && token && code != "RepoNotFound") {
    throw IoError(
        fmt::format("{}; the token of {} may have expired, or is not one of this Hub: set a valid "
                    "one, or none",
                    says, settings_->token_source));
  }
  if (home && (code == "RepoNotFound" || status == 401 || (status == 404 && code.empty()))) {
    throw IoError(fmt::format(
        "there is no model {} on {}, or it is private{}", name, endpoint,
        token ? fmt::format(" and the token of {} does not open it: check the name and the token",
                            settings_->token_source)
              : ": check the name; for a private model, set HF_TOKEN to a token that may read it"));
  }
  if (status == 403) {
    throw IoError(fmt::format(
        "{}; {}", says,
        token ? fmt::format("the token of {} lacks the permission", settings_->token_source)
              : "set HF_TOKEN to a token that may read the model"));
  }
  throw IoError(says);
}

std::string Client::url_of(const std::string& commit, const std::string& file) const {
  return fmt::format("{}/{}/resolve/{}/{}", settings_->endpoint, reference_.name, commit,
                     percent_encoded(file, true));
}

Revision Client::resolve() {
  const auto what = fmt::format("{}@{}", reference_.name, excerpt(reference_.revision));
  http::Request request;
  request.url = fmt::format("{}/api/models/{}/revision/{}", settings_->endpoint, reference_.name,
                            percent_encoded(reference_.revision, false));
  request.timeout = settings_->metadata_timeout;
  http::Response response;
  patiently([&] {
    response = exchange(what, request, Redirects::everywhere);
    if (response.status != 200) refuse(response, what);
  });
  const auto origin = fmt::format("what {} answers about {}", settings_->endpoint, what);
  const auto answer = parse_json_object(response.body, origin);
  Revision revision;
  try {
    revision.commit = answer.at("sha").get<std::string>();
    for (const auto& sibling : answer.at("siblings")) {
      revision.files.push_back(sibling.at("rfilename").get<std::string>());
    }
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("{} is not a description of a model ({}): is HF_ENDPOINT a Hub?",
                                  origin, describe_json_error(error.what())));
  }
  if (!is_commit(revision.commit) ||
      (is_commit(reference_.revision) && revision.commit != reference_.revision)) {
    throw FormatError(
        fmt::format("{} names the commit {}, which cannot be", origin, in_quotes(revision.commit)));
  }
  for (const auto& file : revision.files) {
    if (!is_safe_path(file)) {
      throw FormatError(
          fmt::format("{} names the file {}, which would lie outside of the model's directory: "
                      "refused",
                      origin, in_quotes(file)));
    }
  }
  std::sort(revision.files.begin(), revision.files.end());
  return revision;
}

RemoteFile Client::describe(const std::string& commit, const std::string& file) {
  http::Request request;
  request.url = url_of(commit, file);
  request.head = true;
  request.headers = {"Accept-Encoding: identity"};  // for the size of the file as it is
  request.timeout = settings_->metadata_timeout;
  http::Response response;
  patiently([&] {
    response = exchange(excerpt(file), request, Redirects::own_host);
    if (response.status != 200 && !is_redirect(response.status)) refuse(response, excerpt(file));
  });
  RemoteFile remote;
  remote.name = file;
  const auto linked = response.header("x-linked-etag");
  remote.etag = normalized_etag(linked.empty() ? response.header("etag") : linked);
  if (!is_checksum(remote.etag)) {
    throw FormatError(
        fmt::format("{} of {}: {} gives {} for its checksum, which is neither a SHA-256 nor a git "
                    "blob's: nothing could be verified",
                    excerpt(file), reference_.name, settings_->endpoint, in_quotes(remote.etag)));
  }
  remote.size = number(response.header("x-linked-size"));
  if (!remote.size && response.status == 200) {
    remote.size = number(response.header("content-length"));
  }
  return remote;
}

void Client::download(const std::string& commit, const std::string& file, std::int64_t offset,
                      const Receiver& receiver) {
  http::Request request;
  request.url = url_of(commit, file);
  request.headers = {"Accept-Encoding: identity"};
  request.timeout = settings_->download_timeout;
  if (offset > 0) request.headers.push_back(fmt::format("Range: bytes={}-", offset));
  bool begun = false;
  const auto begin = [&](const http::Response& response) {
    begun = true;
    const auto range = response.header("content-range");
    if (response.status == 206 && !range.starts_with(fmt::format("bytes {}-", offset))) {
      receiver.restart();
      throw TemporaryError(fmt::format("{}: asked for bytes from {} on, and was given {}",
                                       excerpt(file), offset, in_quotes(range)));
    }
    if (response.status == 200 && offset > 0) receiver.restart();
  };
  const auto response =
      exchange(excerpt(file), request, Redirects::everywhere,
               [&](const http::Response& answer, std::span<const std::byte> bytes) {
                 if (!begun) begin(answer);
                 receiver.write(bytes);
               });
  if (response.status == 416) {
    receiver.restart();
    throw TemporaryError(
        fmt::format("{}: the server has no bytes from {} on", excerpt(file), offset));
  }
  if (response.status != 200 && response.status != 206) refuse(response, excerpt(file));
}

}  // namespace cloze::hub
