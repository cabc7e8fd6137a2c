// HTTP over real sockets, with a handler that answers with what it got: keep-alive, limits, time-outs,
// and what hostile clients send.
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/temp_directory.h"
#include "serve/http/head.h"
#include "serve/http/listen.h"
#include "serve/http/server.h"
#include "serve/raw_client.h"

namespace cloze::serve {
namespace {

using cloze::testing::RawClient;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

/// A server that says what it was asked; of /held only when it is told to.
class EchoServer {
 public:
  explicit EchoServer(HttpOptions options = {}, const std::string& path = "") {
    options.shutdown_time = milliseconds(20000);
    server_ = std::make_unique<HttpServer>(
        options, HttpHandler{.check =
                                 [](const HttpRequest& request) {
                                   if (request.path == "/forbidden")
                                     throw RequestError(403, "Validation", "no");
                                 },
                             .handle =
                                 [this](const std::shared_ptr<Exchange>& exchange) {
                                   auto& request = exchange->request();
                                   if (request.path == "/held") {
                                     held = exchange;
                                     exchange->on_gone([this] { gone = true; });
                                     has_held = true;
                                     return;
                                   }
                                   if (request.path == "/forgotten") return;
                                   exchange->respond({.body = request.method + " " + request.path +
                                                              " " + request.body});
                                 },
                             .refuse =
                                 [](const HttpRequest&, const RequestError& error) {
                                   return HttpResponse{.status = error.status(),
                                                       .body = body_for(error, ErrorStyle::native)};
                                 },
                             .tick = {},
                             .draining = {}});
    if (path.empty()) {
      auto sockets = listen_at("127.0.0.1", 0);
      port = sockets.front().port();
      server_->listen(std::move(sockets.front()));
    } else {
      server_->listen(listen_at_path(path));
    }
    thread_ = std::thread([this] { clean = server_->run(false); });
  }
  ~EchoServer() { end(); }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;
  EchoServer(EchoServer&&) = delete;
  EchoServer& operator=(EchoServer&&) = delete;

  void begin_end() { server_->shutdown(); }
  void end() {
    begin_end();
    if (thread_.joinable()) thread_.join();
  }
  void wait_until(const std::atomic<bool>& what) const {
    for (int i = 0; i < 5000 && !what; ++i) std::this_thread::sleep_for(milliseconds(2));
    EXPECT_TRUE(what);
  }

  int port = 0;
  std::shared_ptr<Exchange> held;
  std::atomic<bool> has_held = false, gone = false, clean = false;

 private:
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

const std::string kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

/// Sends bytes on a connection of their own: the answer, which is the last of it.
cloze::testing::Answer refused(const EchoServer& server, const std::string& bytes) {
  RawClient client(server.port);
  client.send(bytes);
  auto answer = client.read();
  EXPECT_TRUE(client.is_closed()) << bytes.substr(0, 100);
  return answer;
}

TEST(Http, KeepsConnectionsAndAnswersInOrder) {
  const EchoServer server;
  RawClient client(server.port);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.exchange(kGet).body, "GET /a ");
  client.send("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi" + kGet +
              "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
              "2\r\nab\r\n3;name=value\r\ncde\r\n0\r\nTrailer: x\r\n\r\n");
  EXPECT_EQ(client.read().body, "POST /1 hi");
  EXPECT_EQ(client.read().body, "GET /a ");
  EXPECT_EQ(client.read().body, "POST /2 abcde");
  const auto answer = client.exchange("GET /%41%20b?x=%2 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.body, "GET /A b ");
  EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff");
}

TEST(Http, HeadHasNoBodyAndCloseCloses) {
  const EchoServer server;
  RawClient client(server.port);
  client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read(true).headers.at("content-length"), "8");
  const auto last = client.exchange("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(last.headers.at("connection"), "close");
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(refused(server, "GET /a HTTP/1.0\r\n\r\n").status, 200);
}

TEST(Http, BytesMayComeOneByOne) {
  const EchoServer server;
  RawClient client(server.port);
  for (const char c : std::string("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")) {
    client.send(std::string(1, c));
  }
  EXPECT_EQ(client.read().body, "POST /1 hi");
}

TEST(Http, SaysContinue) {
  const EchoServer server;
  RawClient client(server.port);
  client.send("POST /1 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.read().status, 100);
  client.send("hi");
  EXPECT_EQ(client.read().body, "POST /1 hi");
  // Not where the head is refused: the body is never asked for.
  EXPECT_EQ(refused(server,
                    "POST /forbidden HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                    "Content-Length: 2\r\n\r\n")
                .status,
            403);
}

TEST(Http, RefusesWhatCouldBeReadInTwoWays) {
  const EchoServer server;
  const auto post = [](const std::string& headers, const std::string& body = "") {
    return "POST /a HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
  };
  const std::vector<std::pair<std::string, int>> cases{
      {post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {post("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "0\r\n\r\n"), 400},
      {post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), 400},
      {post("Content-Length: 2, 2\r\n", "ab"), 400},
      {post("Content-Length: +2\r\n", "ab"), 400},
      {post("Content-Length: -1\r\n", "ab"), 400},
      {post("Content-Length: 0x2\r\n", "ab"), 400},
      {post("Content-Length: \r\n", "ab"), 400},
      {post("Content-Length: 9223372036854775808\r\n"), 413},
      {post("Content-Length: 99999999999999999999999999\r\n"), 413},
      {post("Transfer-Encoding: gzip\r\n", kGet), 501},
      {post("Transfer-Encoding: xchunked\r\n", kGet), 501},
      {post("Transfer-Encoding: chunked, identity\r\n", kGet), 501},
      {post("Transfer-Encoding: identity, chunked\r\n", kGet), 501},
      {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", kGet), 501},
      {post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400},
      {post("Content-Length : 2\r\n", "ab"), 400},
      {post("X: a\r\n b\r\n"), 400},
      {post(" X: a\r\n"), 400},
      {post("X: a\x01\r\n"), 400},
      {post(std::string("X: a\0b\r\n", 8)), 400},
      {post("X\r\n"), 400},
      {post(": a\r\n"), 400},
      {post("X: a\n"), 400},
      {post("Expect: something\r\n"), 417},
      {"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"GET /a HTTP/1.1\r\n\r\n", 400},
      {"GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
      {"GET /a HTTP/1.1\nHost: x\n\n", 400},
      {"GET /a\r\n\r\n", 400},
      {"GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /a HTTP/2.0\r\nHost: x\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"G@T /a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"\r\n\r\n", 400},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), 400},
      {post("Transfer-Encoding: chunked\r\n", "zz\r\n"), 400},
      {post("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n"), 400},
      {post("Transfer-Encoding: chunked\r\n", "-1\r\n"), 400},
      {post("Transfer-Encoding: chunked\r\n", "2\r\nabc\r\n0\r\n\r\n"), 400},
  };
  for (const auto& [bytes, status] : cases) {
    const auto answer = refused(server, bytes);
    EXPECT_EQ(answer.status, status) << bytes;
    EXPECT_THAT(answer.body, HasSubstr("\"error\":")) << bytes;
  }
  RawClient client(server.port);
  EXPECT_EQ(client.exchange(kGet).status, 200);  // nobody else is harmed
}

TEST(Http, BoundsHeads) {
  const EchoServer server;
  const std::string long_text(20000, 'a');
  EXPECT_EQ(refused(server, "GET /" + long_text + " HTTP/1.1\r\nHost: x\r\n\r\n").status, 414);
  EXPECT_EQ(refused(server, "GET /a HTTP/1.1\r\nHost: x\r\nX: " + long_text + "\r\n\r\n").status,
            431);
  EXPECT_EQ(
      refused(server, "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n").status,
      414);
  std::string many = "GET /a HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 200; ++i) many += "X: a\r\n";
  EXPECT_EQ(refused(server, many + "\r\n").status, 431);
}

TEST(Http, BoundsBodies) {
  HttpOptions options;
  options.most_body = 1000;
  const EchoServer server(options);
  const std::string head = "POST /a HTTP/1.1\r\nHost: x\r\n";
  const auto announced = refused(server, head + "Content-Length: 1001\r\n\r\n");
  EXPECT_EQ(announced.status, 413);
  EXPECT_THAT(announced.body, HasSubstr("--max-body"));
  std::string chunks = head + "Transfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 11; ++i) chunks += "64\r\n" + std::string(100, 'a') + "\r\n";
  EXPECT_EQ(refused(server, chunks).status, 413);
  EXPECT_THAT(refused(server, head + "Transfer-Encoding: chunked\r\n\r\n1;" +
                                  std::string(20000, 'x') + "\r\na\r\n0\r\n\r\n")
                  .status,
              ::testing::AnyOf(400, 431));
  EXPECT_THAT(refused(server, head + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: " +
                                  std::string(100000, 'x') + "\r\n\r\n")
                  .status,
              ::testing::AnyOf(400, 431));
  RawClient client(server.port);
  EXPECT_EQ(client.post("/a", std::string(1000, 'a')).status, 200);
}

TEST(Http, BoundsAllBodiesTogether) {
  HttpOptions options;
  options.most_bodies = 1500;
  const EchoServer server(options);
  RawClient first(server.port), second(server.port);
  const std::string head = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
  first.send(head + std::string(999, 'a'));
  std::this_thread::sleep_for(milliseconds(100));
  second.send(head + std::string(999, 'a'));
  EXPECT_EQ(second.read().status, 429);
  first.send("a");
  EXPECT_EQ(first.read().status, 200);
}

TEST(Http, SlowClientsAreToldToGo) {
  HttpOptions options;
  options.head_time = options.body_time = milliseconds(100);
  options.idle_time = milliseconds(300);
  const EchoServer server(options);
  RawClient head(server.port), body(server.port), idle(server.port), used(server.port);
  head.send("GET /a HT");
  body.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(used.exchange(kGet).status, 200);
  EXPECT_EQ(head.read().status, 408);
  EXPECT_EQ(body.read().status, 408);
  EXPECT_TRUE(head.is_closed());
  EXPECT_TRUE(body.is_closed());
  EXPECT_TRUE(idle.is_closed());
  EXPECT_TRUE(used.is_closed());
}

TEST(Http, LearnsThatAClientLeft) {
  EchoServer server;
  {
    RawClient client(server.port);
    client.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_until(server.has_held);
    EXPECT_FALSE(server.gone);
  }
  server.wait_until(server.gone);
  server.held->respond({.body = "too late"});
  RawClient other(server.port);
  EXPECT_EQ(other.exchange(kGet).status, 200);
  server.held = nullptr;
}

TEST(Http, AForgottenRequestIsAnswered) {
  const EchoServer server;
  RawClient client(server.port);
  EXPECT_EQ(client.get("/forgotten").status, 500);
  EXPECT_EQ(client.exchange(kGet).status, 200);
}

TEST(Http, TooManyConnectionsAreTold) {
  HttpOptions options;
  options.most_connections = 2;
  const EchoServer server(options);
  RawClient first(server.port), second(server.port);
  EXPECT_EQ(first.exchange(kGet).status, 200);
  EXPECT_EQ(second.exchange(kGet).status, 200);
  {
    RawClient third(server.port);
    EXPECT_EQ(third.read().status, 503);
  }
  EXPECT_EQ(first.exchange(kGet).status, 200);
}

TEST(Http, ServesManyConnections) {
  const EchoServer server;
  std::vector<RawClient> clients;
  for (int i = 0; i < 400; ++i) clients.emplace_back(server.port);
  for (auto& client : clients) client.send(kGet);
  for (auto& client : clients) EXPECT_EQ(client.read().status, 200);
}

TEST(Http, EndsWhenAllIsAnswered) {
  EchoServer server;
  RawClient busy(server.port), idle(server.port);
  EXPECT_EQ(idle.exchange(kGet).status, 200);
  busy.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
  server.wait_until(server.has_held);
  server.begin_end();
  EXPECT_TRUE(idle.is_closed());
  server.held->respond({.body = "done"});
  const auto answer = busy.read();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.headers.at("connection"), "close");
  server.end();
  EXPECT_TRUE(server.clean);
  EXPECT_THROW(RawClient{server.port}, std::runtime_error);
  server.held = nullptr;
}

TEST(Http, ServesAUnixSocket) {
  const cloze::testing::TempDirectory folder;
  const auto path = (folder / "s").string();
  {
    const EchoServer server({}, path);
    RawClient client(path);
    EXPECT_EQ(client.exchange(kGet).body, "GET /a ");
    EXPECT_THROW((void)listen_at_path(path), IoError);  // somebody listens
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  { const auto left = listen_at_path(path); }  // a file that nobody listens at
  EXPECT_TRUE(std::filesystem::exists(path));
  const EchoServer again({}, path);
  RawClient client(path);
  EXPECT_EQ(client.exchange(kGet).status, 200);
  EXPECT_THROW((void)listen_at_path(std::string(200, 'a')), IoError);
}

TEST(Http, ServesIpv6WhereThereIsOne) {
  try {
    const auto sockets = listen_at("::1", 0);
    EXPECT_THAT(sockets.front().name(), ::testing::StartsWith("http://[::1]:"));
    EXPECT_FALSE(sockets.front().is_public());
  } catch (const IoError&) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
}

TEST(Listen, SaysWhatIsWrong) {
  const auto sockets = listen_at("127.0.0.1", 0);
  const auto port = static_cast<std::uint16_t>(sockets.front().port());
  EXPECT_THROW((void)listen_at("127.0.0.1", port), IoError);
  EXPECT_THROW((void)listen_at("not an address", 0), IoError);
  EXPECT_TRUE(listen_at("0.0.0.0", 0).front().is_public());
}

}  // namespace
}  // namespace cloze::serve
