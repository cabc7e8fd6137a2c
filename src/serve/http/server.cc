#include "serve/http/server.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace cloze::serve {
namespace {

namespace net = boost::asio;
namespace http = boost::beast::http;
using ErrorCode = boost::system::error_code;
using Protocol = net::generic::stream_protocol;
using StreamSocket = net::basic_stream_socket<Protocol, net::io_context::executor_type>;
using Acceptor = net::basic_socket_acceptor<Protocol, net::io_context::executor_type>;
using Timer = net::basic_waitable_timer<std::chrono::steady_clock,
                                        net::wait_traits<std::chrono::steady_clock>,
                                        net::io_context::executor_type>;
using Parser = http::request_parser<http::string_body>;

constexpr std::size_t kReadSize = 8192;
constexpr std::size_t kBufferSize = std::size_t{64} << 10U;
constexpr std::size_t kMostExtension = 1024;       // of a chunk
constexpr std::size_t kMostLingering = 1U << 20U;  // bytes that are read after a refusal
constexpr std::size_t kExtraConnections = 256;     // that are told that there are too many
constexpr std::chrono::seconds kLinger{1}, kFreshAtShutdown{1};
constexpr std::chrono::milliseconds kTick{50}, kAcceptPause{100};

RequestError closing(int status, const std::string& type, const std::string& what) {
  RequestError error(status, type, what);
  error.close = true;
  return error;
}

/// What Beast found wrong with a body.
RequestError body_error(const ErrorCode& error, std::size_t most) {
  if (error == http::error::body_limit) {
    return closing(413, "Validation",
                   fmt::format("the body has over {} bytes: divide it over several requests, or "
                               "start the server with a larger --max-body",
                               most));
  }
  if (error == http::error::buffer_overflow || error == http::error::header_limit) {
    return closing(431, "Validation", "a chunk's head or the trailer is too long");
  }
  return closing(
      400, "Validation",
      fmt::format("the body is not in chunks as HTTP/1.1 has them: {}", error.message()));
}

std::string address_of(const StreamSocket& socket) {
  ErrorCode error;
  const auto end = socket.remote_endpoint(error);
  if (error) return {};
  const auto family = end.protocol().family();
  if (family != AF_INET && family != AF_INET6) return {};
  net::ip::tcp::endpoint address;
  if (end.size() > address.capacity()) return {};
  address.resize(end.size());
  std::copy_n(static_cast<const char*>(static_cast<const void*>(end.data())), end.size(),
              static_cast<char*>(static_cast<void*>(address.data())));
  return address.address().to_string();
}

class Session;

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  Impl(const HttpOptions& settings, HttpHandler what)
      : options(settings), handler(std::move(what)), tick_timer(io), stop_timer(io), signals(io) {}

  void accept(std::size_t index);
  void take(StreamSocket socket);
  void tick();
  void drain();
  void stop_when_empty();

  HttpOptions options;
  HttpHandler handler;
  ConnectionCounts counts;
  std::set<std::shared_ptr<Session>> sessions;
  std::size_t body_bytes = 0;
  bool draining = false, clean = true;
  std::vector<std::string> files;  // of Unix sockets, to be removed
  net::io_context io{1};
  Timer tick_timer, stop_timer;
  net::signal_set signals;
  struct Listening {
    Acceptor acceptor;
    Timer pause;
  };
  std::vector<std::unique_ptr<Listening>> listening;
};

namespace {

using Server = HttpServer::Impl;

/// A connection: one request after another, each answered before the next is read.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Server& server, StreamSocket socket)
      : server_(server), socket_(std::move(socket)), timer_(server.io) {}

  void start() {
    peer_ = address_of(socket_);
    next_request();
  }

  /// Answers without having read anything: there are too many connections.
  void refuse_connection() {
    head_ = {};
    refuse(closing(503, "Overloaded", "there are too many connections: try again later"));
  }

  /// At the end of the server.
  void drain() {
    if (state_ != State::idle) return;
    ErrorCode error;
    if (socket_.available(error) > 0) return;
    if (served_ > 0) {
      close();
    } else {
      arm(kFreshAtShutdown);  // its first request may be on the way
    }
  }

  void close() {
    if (std::exchange(state_, State::closed) == State::closed) return;
    gone();
    release_body();
    ErrorCode ignored;
    timer_.cancel();
    socket_.close(ignored);
    const auto self = shared_from_this();
    server_.sessions.erase(self);
    server_.stop_when_empty();
  }

  void answer(std::uint64_t number, HttpResponse response) {
    if (state_ == State::computing && number == served_) write(std::move(response));
  }

  void set_gone(std::uint64_t number, std::function<void()> gone) {
    if (state_ == State::computing && number == served_) {
      gone_ = std::move(gone);
    } else if (state_ == State::closed) {
      gone();
    }
  }

  [[nodiscard]] bool computing() const { return state_ == State::computing; }

 private:
  enum class State : std::uint8_t { idle, head, body, computing, writing, lingering, closed };

  template <class Duration>
  void arm(Duration time) {
    timer_.expires_after(time);
    timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
      if (!error) self->timed_out();
    });
  }

  void timed_out() {
    // A timer that was set anew while this call was on its way has a later time.
    if (timer_.expiry() > std::chrono::steady_clock::now()) return;
    ErrorCode ignored;
    if (state_ != State::computing) socket_.cancel(ignored);  // the read under way has the buffer
    switch (state_) {
      case State::head:
        refuse(closing(408, "Validation", "the head of the request did not arrive in time"));
        break;
      case State::body:
        refuse(closing(408, "Validation", "the body of the request did not arrive in time"));
        break;
      case State::computing:
        break;
      default:
        close();
    }
  }

  void next_request() {
    release_body();
    head_ = {};
    parser_.reset();
    state_ = State::idle;
    if (buffer_.size() == 0 && buffer_.capacity() > 2 * kReadSize) buffer_.shrink_to_fit();
    if (buffer_.size() > 0) {
      begin_head();
    } else if (server_.draining && served_ > 0) {
      close();
      return;
    } else {
      arm(server_.options.idle_time);
    }
    continue_head();
  }

  void begin_head() {
    state_ = State::head;
    arm(server_.options.head_time);
  }

  void continue_head() {
    try {
      const auto bytes = buffered();
      if (const auto end = find_head_end(bytes, server_.options.head)) {
        take_head(*end);
        return;
      }
    } catch (const RequestError& error) {
      refuse(error);
      return;
    }
    socket_.async_read_some(buffer_.prepare(kReadSize),
                            [self = shared_from_this()](const ErrorCode& error, std::size_t size) {
                              if (self->state_ != State::idle && self->state_ != State::head)
                                return;  // timed out
                              if (error) {
                                self->close();
                                return;
                              }
                              self->buffer_.commit(size);
                              if (self->state_ == State::idle) self->begin_head();
                              self->continue_head();
                            });
  }

  [[nodiscard]] std::string_view buffered() const {
    const auto data = buffer_.cdata();
    return {static_cast<const char*>(data.data()), data.size()};
  }

  void take_head(std::size_t end) {
    head_ = read_head(buffered().substr(0, end), server_.options.head);
    head_.request.peer = peer_;
    const auto& options = server_.options;
    if (head_.content_length.value_or(0) > options.most_body) {
      throw body_error(http::error::body_limit, options.most_body);
    }
    // Beast reads the head as well, and the body after it.
    parser_.emplace();
    parser_->body_limit(options.most_body);
    parser_->header_limit(static_cast<std::uint32_t>(kBufferSize));
    parser_->on_chunk_header(on_chunk_);
    ErrorCode error;
    const auto used = parser_->put(net::buffer(buffered().substr(0, end)), error);
    if ((error && error != http::error::need_more) || used != end || !parser_->is_header_done()) {
      throw closing(400, "Validation", "the head of the request is not HTTP/1.1");
    }
    buffer_.consume(end);
    server_.handler.check(head_.request);
    if (parser_->is_done()) {
      handle();
      return;
    }
    state_ = State::body;
    body_begin_ = std::chrono::steady_clock::now();
    arm(options.body_time);
    if (head_.expects_continue && buffer_.size() == 0) {
      static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      net::async_write(socket_, net::buffer(go_on),
                       [self = shared_from_this()](const ErrorCode& failed, std::size_t) {
                         if (self->state_ != State::body) return;
                         if (failed) {
                           self->close();
                         } else {
                           self->read_body();
                         }
                       });
      return;
    }
    read_body();
  }

  void read_body() {
    http::async_read_some(
        socket_, buffer_, *parser_,
        [self = shared_from_this()](const ErrorCode& error, std::size_t /*size*/) {
          if (self->state_ != State::body) return;
          self->took_body(error);
        });
  }

  void took_body(const ErrorCode& error) {
    const auto size = parser_->get().body().size();
    server_.body_bytes += size - counted_;
    counted_ = size;
    if (error) {
      const auto& category = error.category();
      const bool ours = category == make_error_code(http::error::body_limit).category() &&
                        error != http::error::end_of_stream &&
                        error != http::error::partial_message;
      if (ours) {
        parser_.reset();
        refuse(body_error(error, server_.options.most_body));
      } else {
        close();  // it left
      }
      return;
    }
    if (server_.body_bytes > server_.options.most_bodies) {
      auto overload = closing(429, "Overloaded",
                              "the server holds too many bytes of requests: try again later");
      overload.retry_after = 1;
      parser_.reset();
      refuse(overload);
      return;
    }
    if (parser_->is_done()) {
      try {
        handle();
      } catch (const RequestError& refused) {
        refuse(refused);
      }
      return;
    }
    const auto more = std::chrono::seconds(size >> 16U);  // 64 KiB a second are not too slow
    timer_.expires_at(body_begin_ + server_.options.body_time + more);
    timer_.async_wait([self = shared_from_this()](const ErrorCode& cancelled) {
      if (!cancelled) self->timed_out();
    });
    read_body();
  }

  void handle();

  /// Learns that the client leaves while it has no answer yet.
  void watch() {
    if (std::exchange(watching_, true)) return;
    socket_.async_wait(
        StreamSocket::wait_read, [self = shared_from_this()](const ErrorCode& error) {
          self->watching_ = false;
          if (error || self->state_ != State::computing) return;
          char byte = 0;
          const auto got = ::recv(self->socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
          if (got > 0) return;  // its next request: nobody looks any more
          if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
            self->watch();
            return;
          }
          self->close();
        });
  }

  void gone() {
    if (auto told = std::exchange(gone_, nullptr)) told();
  }

  void release_body() {
    server_.body_bytes -= counted_;
    server_.counts.request_bytes += counted_;
    counted_ = 0;
  }

  void refuse(const RequestError& error) {
    auto response = server_.handler.refuse(head_.request, error);
    release_body();
    // What is left of the request would be taken for the next one.
    const bool unread = head_.chunked || head_.content_length.value_or(0) > 0;
    response.close = response.close || error.close || (unread && state_ != State::computing);
    write(std::move(response));
  }

  void write(HttpResponse response) {
    gone_ = nullptr;
    state_ = State::writing;
    keep_ = head_.keep_alive && !response.close && !server_.draining;
    out_head_ = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_of(response.status));
    if (!response.content_type.empty()) {
      out_head_ += fmt::format("Content-Type: {}\r\n", response.content_type);
    }
    out_head_ +=
        fmt::format("Content-Length: {}\r\nX-Content-Type-Options: nosniff\r\nServer: cloze\r\n",
                    response.body.size());
    for (const auto& [name, value] : response.headers) {
      out_head_ += fmt::format("{}: {}\r\n", name, value);
    }
    if (!keep_) out_head_ += "Connection: close\r\n";
    out_head_ += "\r\n";
    out_body_ = std::move(response.body);
    if (head_.request.method == "HEAD") out_body_.clear();
    sent_ = 0;
    write_more();
  }

  void write_more() {
    arm(server_.options.write_time);
    const std::string_view head =
        std::string_view(out_head_).substr(std::min(sent_, out_head_.size()));
    const auto body_sent = sent_ - std::min(sent_, out_head_.size());
    const std::array<net::const_buffer, 2> parts{
        net::buffer(head), net::buffer(std::string_view(out_body_).substr(body_sent))};
    socket_.async_write_some(
        parts, [self = shared_from_this()](const ErrorCode& error, std::size_t size) {
          if (self->state_ != State::writing) return;
          self->sent_ += size;
          if (error) {
            self->close();
          } else if (self->sent_ < self->out_head_.size() + self->out_body_.size()) {
            self->write_more();
          } else {
            self->written();
          }
        });
  }

  void written() {
    std::string().swap(out_body_);
    if (keep_) {
      next_request();
      return;
    }
    state_ = State::lingering;  // closing with bytes unread would take the answer back
    ErrorCode ignored;
    socket_.shutdown(StreamSocket::shutdown_send, ignored);
    arm(kLinger);
    buffer_.clear();
    lingered_ = 0;
    linger();
  }

  void linger() {
    socket_.async_read_some(buffer_.prepare(kReadSize),
                            [self = shared_from_this()](const ErrorCode& error, std::size_t size) {
                              if (self->state_ != State::lingering) return;
                              self->lingered_ += size;
                              if (error || self->lingered_ > kMostLingering) {
                                self->close();
                              } else {
                                self->linger();
                              }
                            });
  }

  Server& server_;
  StreamSocket socket_;
  Timer timer_;
  boost::beast::flat_buffer buffer_{kBufferSize};
  std::optional<Parser> parser_;
  Head head_;
  State state_ = State::idle;
  std::string peer_, out_head_, out_body_;
  std::size_t sent_ = 0, counted_ = 0, lingered_ = 0;
  std::uint64_t served_ = 0;  // requests so far: the number of the one at hand
  bool watching_ = false, keep_ = true;
  std::chrono::steady_clock::time_point body_begin_;
  std::function<void()> gone_;
  std::function<void(std::uint64_t, boost::beast::string_view, ErrorCode&)> on_chunk_ =
      [](std::uint64_t /*size*/, boost::beast::string_view extensions, ErrorCode& error) {
        if (extensions.size() > kMostExtension) error = http::error::bad_chunk_extension;
      };
};

class SessionExchange final : public Exchange {
 public:
  SessionExchange(std::shared_ptr<Server> server, const std::shared_ptr<Session>& session,
                  std::uint64_t number, HttpRequest request)
      : server_(std::move(server)),
        session_(session),
        number_(number),
        request_(std::move(request)) {}

  ~SessionExchange() override {
    if (answered_) return;
    try {
      const RequestError error(500, "Backend", "the server forgot this request: a defect of it");
      respond(server_->handler.refuse(request_, error));
    } catch (...) {  // NOLINT(bugprone-empty-catch): the connection ends by its time-out
    }
  }
  SessionExchange(const SessionExchange&) = delete;
  SessionExchange& operator=(const SessionExchange&) = delete;
  SessionExchange(SessionExchange&&) = delete;
  SessionExchange& operator=(SessionExchange&&) = delete;

  HttpRequest& request() override { return request_; }

  void respond(HttpResponse response) override {
    if (answered_.exchange(true)) return;
    net::post(server_->io,
              [session = session_, number = number_, response = std::move(response)]() mutable {
                if (const auto open = session.lock()) open->answer(number, std::move(response));
              });
  }

  void post(std::function<void()> task) override { net::post(server_->io, std::move(task)); }

  void on_gone(std::function<void()> gone) override {
    if (const auto open = session_.lock()) {
      open->set_gone(number_, std::move(gone));
    } else {
      gone();
    }
  }

 private:
  std::shared_ptr<Server> server_;
  std::weak_ptr<Session> session_;
  std::uint64_t number_;
  HttpRequest request_;
  std::atomic<bool> answered_ = false;
};

void Session::handle() {
  state_ = State::computing;
  timer_.cancel();
  ++served_;
  auto request = head_.request;
  request.body = std::move(parser_->get().body());
  server_.handler.handle(std::make_shared<SessionExchange>(
      server_.shared_from_this(), shared_from_this(), served_, std::move(request)));
  if (state_ == State::computing) watch();
}

}  // namespace

void HttpServer::Impl::accept(std::size_t index) {
  auto& each = *listening[index];
  auto socket = std::make_shared<StreamSocket>(io);
  each.acceptor.async_accept(*socket, [this, index, socket](const ErrorCode& error) {
    if (!error) take(std::move(*socket));  // also one that was on its way when the end began
    if (draining || error == net::error::operation_aborted) return;
    const bool full = sessions.size() >= options.most_connections + kExtraConnections;
    // Too many files are open, or connections: it gets no better by asking at once.
    const bool passing =
        error == net::error::connection_aborted || error == net::error::interrupted;
    if ((error && !passing) || full) {
      auto& pause = listening[index]->pause;
      pause.expires_after(kAcceptPause);
      pause.async_wait([this, index](const ErrorCode& cancelled) {
        if (!cancelled && !draining) accept(index);
      });
      return;
    }
    accept(index);
  });
}

void HttpServer::Impl::take(StreamSocket socket) {
  const int on = 1;
  (void)::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  (void)::setsockopt(socket.native_handle(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  const bool welcome = sessions.size() < options.most_connections;
  const auto session = std::make_shared<Session>(*this, std::move(socket));
  sessions.insert(session);
  ++(welcome ? counts.accepted : counts.refused);
  if (welcome) {
    session->start();
  } else {
    session->refuse_connection();
  }
}

void HttpServer::Impl::tick() {
  tick_timer.expires_after(kTick);
  tick_timer.async_wait([this](const ErrorCode& error) {
    if (error) return;
    if (handler.tick) handler.tick();
    tick();
  });
}

void HttpServer::Impl::drain() {
  if (std::exchange(draining, true)) return;
  if (handler.draining) handler.draining();
  for (const auto& each : listening) {
    each->pause.cancel();
    ErrorCode error;
    each->acceptor.non_blocking(true, error);
    while (!error) {  // who has connected already is served
      StreamSocket socket(io);
      each->acceptor.accept(socket, error);
      if (!error) take(std::move(socket));
    }
    each->acceptor.close(error);
  }
  for (const auto& file : files) ::unlink(file.c_str());
  const std::vector<std::shared_ptr<Session>> all(sessions.begin(), sessions.end());
  for (const auto& session : all) session->drain();
  stop_timer.expires_after(options.shutdown_time);
  stop_timer.async_wait([this](const ErrorCode& error) {
    if (error) return;
    clean = false;
    io.stop();
  });
  net::post(io, [this] { stop_when_empty(); });  // after connections that are on their way
}

void HttpServer::Impl::stop_when_empty() {
  if (draining && sessions.empty()) io.stop();
}

HttpServer::HttpServer(const HttpOptions& options, HttpHandler handler)
    : impl_(std::make_shared<Impl>(options, std::move(handler))) {}

HttpServer::~HttpServer() {
  impl_->draining = true;
  const std::vector<std::shared_ptr<Session>> all(impl_->sessions.begin(), impl_->sessions.end());
  for (const auto& session : all) session->close();
  impl_->listening.clear();
  impl_->tick_timer.cancel();
  impl_->stop_timer.cancel();
  ErrorCode ignored;
  impl_->signals.cancel(ignored);
  impl_->io.restart();
  impl_->io.poll();  // what was cancelled holds sessions
}

void HttpServer::listen(ListeningSocket socket) {
  if (!socket.file().empty()) impl_->files.push_back(socket.file());
  const Protocol protocol(socket.family(), socket.family() == AF_UNIX ? 0 : IPPROTO_TCP);
  auto made =
      std::make_unique<Impl::Listening>(Impl::Listening{Acceptor(impl_->io), Timer(impl_->io)});
  made->acceptor.assign(protocol, socket.release());
  impl_->listening.push_back(std::move(made));
}

bool HttpServer::run(bool signals, const std::function<void()>& reload) {
  auto& impl = *impl_;
  std::function<void()> wait_for_signal = [&] {
    impl.signals.async_wait([&](const ErrorCode& error, int signal) {
      if (error) return;
      if (signal == SIGHUP) {
        if (reload) reload();
      } else if (impl.draining) {
        impl.clean = false;  // asked twice
        impl.io.stop();
        return;
      } else {
        impl.drain();
      }
      wait_for_signal();
    });
  };
  if (signals) {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) impl.signals.add(signal);
    wait_for_signal();
  }
  for (std::size_t i = 0; i < impl.listening.size(); ++i) impl.accept(i);
  impl.tick();
  while (!impl.io.stopped()) {
    try {
      impl.io.run();
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
      // Memory is short: the connection that had no more of it ends by its time-out.
    }
  }
  return impl.clean;
}

void HttpServer::shutdown() {
  net::post(impl_->io, [impl = impl_] { impl->drain(); });
}

void HttpServer::post(std::function<void()> task) { net::post(impl_->io, std::move(task)); }

ConnectionCounts HttpServer::counts() const {
  auto counts = impl_->counts;
  counts.open = impl_->sessions.size();
  counts.computing = static_cast<std::size_t>(
      std::count_if(impl_->sessions.begin(), impl_->sessions.end(),
                    [](const auto& session) { return session->computing(); }));
  return counts;
}

}  // namespace cloze::serve
