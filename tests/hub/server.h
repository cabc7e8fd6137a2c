/// \file
/// A Hub on loopback for tests: it speaks the part of the Hub's API that Cloze uses, redirects
/// large files to another host as the real one does, and misbehaves on request.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <httplib.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

namespace cloze::testing {

inline std::string hex_digest(const EVP_MD* kind, const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), bytes.data(), &size, kind, nullptr);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", bytes.at(i));
  return hex;
}

inline std::string sha256(const std::string& text) { return hex_digest(EVP_sha256(), text); }

inline std::string git_blob(const std::string& text) {
  return hex_digest(EVP_sha1(), "blob " + std::to_string(text.size()) + '\0' + text);
}

class HubServer {
 public:
  /// What a client asked for.
  struct Seen {
    std::string host;  ///< "hub" or "cdn"
    std::string method, path, range, token;
  };
  /// Answers instead of the server if it returns true.
  using Hook = std::function<bool(const httplib::Request&, httplib::Response&)>;

  struct Model {
    std::string commit = std::string(40, 'a');
    std::map<std::string, std::string> revisions = {};  ///< further names → commits
    std::map<std::string, std::string> files = {};
  };

  HubServer() {
    start(hub_, "hub", hub_port_, [this](const auto& in, auto& out) { answer_hub(in, out); });
    start(cdn_, "cdn", cdn_port_, [this](const auto& in, auto& out) { answer_cdn(in, out); });
  }
  HubServer(const HubServer&) = delete;
  HubServer& operator=(const HubServer&) = delete;
  ~HubServer() {
    hub_.stop();
    cdn_.stop();
  }

  [[nodiscard]] std::string endpoint() const {
    return "http://127.0.0.1:" + std::to_string(hub_port_);
  }
  /// The same machine under another name: another host as far as a token is concerned.
  [[nodiscard]] std::string cdn() const { return "http://localhost:" + std::to_string(cdn_port_); }

  void add(const std::string& name, Model model) {
    const std::lock_guard lock(mutex_);
    models_.insert_or_assign(name, std::move(model));
  }
  void on_hub(Hook hook) { set(hub_hook_, std::move(hook)); }
  void on_cdn(Hook hook) { set(cdn_hook_, std::move(hook)); }

  [[nodiscard]] std::vector<Seen> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  /// Requests so far whose method is `method` and whose path ends in `end`.
  [[nodiscard]] std::size_t count(std::string_view method, std::string_view end) const {
    std::size_t found = 0;
    for (const auto& request : seen()) {
      found += request.method == method && request.path.ends_with(end) ? 1 : 0;
    }
    return found;
  }
  /// What range was asked for last where the weights lie; files come side by side, in any order.
  [[nodiscard]] std::string last_cdn_range() const {
    std::string range = "nothing was asked for";
    for (const auto& request : seen()) {
      if (request.host == "cdn") range = request.range;
    }
    return range;
  }

  /// Sends the bytes from `offset` on, but only up to `stop`, and closes the connection.
  static void cut(httplib::Response& response, const std::string& content, std::size_t stop) {
    response.set_content_provider(
        content.size(), "application/octet-stream",
        [content, stop](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
          if (offset >= stop) return false;
          sink.write(content.data() + offset, std::min(length, stop - offset));
          return true;
        });
  }

 private:
  using Answer = std::function<void(const httplib::Request&, httplib::Response&)>;

  void start(httplib::Server& server, const std::string& host, int& port, Answer answer) {
    server.set_keep_alive_timeout(1);
    server.set_tcp_nodelay(true);
    const auto handle = [this, host, answer = std::move(answer)](const httplib::Request& request,
                                                                 httplib::Response& response) {
      Hook hook;
      {
        const std::lock_guard lock(mutex_);
        seen_.push_back({.host = host,
                         .method = request.method,
                         .path = request.path,
                         .range = request.get_header_value("Range"),
                         .token = request.get_header_value("Authorization")});
        hook = host == "hub" ? hub_hook_ : cdn_hook_;
      }
      if (!hook || !hook(request, response)) answer(request, response);
    };
    server.Get(".*", handle);
    port = server.bind_to_any_port("127.0.0.1");
    threads_.emplace_back([&server] { server.listen_after_bind(); });
    while (!server.is_running()) std::this_thread::yield();
  }

  void set(Hook& hook, Hook value) {
    const std::lock_guard lock(mutex_);
    hook = std::move(value);
  }

  static void refuse(httplib::Response& response, int status, const std::string& code) {
    response.status = status;
    response.set_header("X-Error-Code", code);
    response.set_header("X-Error-Message", "no " + code);
  }

  void answer_hub(const httplib::Request& request, httplib::Response& response) {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, model] : models_) {
      const auto api = "/api/models/" + name + "/revision/";
      const auto files = "/" + name + "/resolve/";
      if (request.path.starts_with(api))
        return describe(model, request.path.substr(api.size()), response);
      if (request.path.starts_with(files)) {
        const auto rest = request.path.substr(files.size());
        const auto slash = rest.find('/');
        return resolve(model, rest.substr(0, slash), rest.substr(slash + 1), request, response);
      }
    }
    refuse(response, 401, "RepoNotFound");
  }

  static void describe(const Model& model, const std::string& revision,
                       httplib::Response& response) {
    auto commit = revision == "main" || revision == model.commit ? model.commit : "";
    if (const auto found = model.revisions.find(revision); found != model.revisions.end()) {
      commit = found->second;
    }
    if (commit.empty()) return refuse(response, 404, "RevisionNotFound");
    auto siblings = nlohmann::json::array();
    for (const auto& [file, content] : model.files) siblings.push_back({{"rfilename", file}});
    response.set_content(nlohmann::json{{"sha", commit}, {"siblings", siblings}}.dump(),
                         "application/json");
  }

  void resolve(const Model& model, const std::string& commit, const std::string& file,
               const httplib::Request& request, httplib::Response& response) const {
    const auto found = model.files.find(file);
    if (found == model.files.end()) return refuse(response, 404, "EntryNotFound");
    const auto& content = found->second;
    response.set_header("X-Repo-Commit", commit);
    if (file.ends_with(".safetensors") || file.ends_with(".bin")) {  // large file storage
      response.set_header("X-Linked-Etag", '"' + sha256(content) + '"');
      response.set_header("X-Linked-Size", std::to_string(content.size()));
      response.set_redirect(cdn() + request.path + "?Signature=secret");
    } else {
      response.set_header("ETag", '"' + git_blob(content) + '"');
      response.set_content(content, "text/plain");
    }
  }

  void answer_cdn(const httplib::Request& request, httplib::Response& response) {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, model] : models_) {
      const auto files = "/" + name + "/resolve/";
      if (!request.path.starts_with(files)) continue;
      const auto file = request.path.substr(files.size() + 41);
      response.set_content(model.files.at(file), "application/octet-stream");
      return;
    }
    response.status = 404;
  }

  httplib::Server hub_, cdn_;
  int hub_port_ = 0, cdn_port_ = 0;
  std::map<std::string, Model> models_;
  Hook hub_hook_, cdn_hook_;
  std::vector<Seen> seen_;
  mutable std::mutex mutex_;
  std::vector<std::jthread> threads_;
};

}  // namespace cloze::testing
