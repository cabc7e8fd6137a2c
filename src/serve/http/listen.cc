#include "serve/http/listen.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cloze/error.h"

namespace cloze::serve {
namespace {

constexpr int kBacklog = 4096;

[[noreturn]] void fail(const std::string& what, int error) {
  throw IoError(
      fmt::format("{}: {}", what, std::strerror(error)));  // NOLINT(concurrency-mt-unsafe)
}

/// A socket that is closed unless somebody takes it.
class Socket {
 public:
  explicit Socket(int family)
      : descriptor_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    if (descriptor_ < 0) fail("cannot make a socket", errno);
  }
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  Socket(Socket&&) = delete;
  Socket& operator=(Socket&&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

void switch_on(int descriptor, int level, int option) {
  const int on = 1;
  (void)::setsockopt(descriptor, level, option, &on, sizeof(on));
}

sockaddr_un path_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    throw IoError(
        fmt::format("the socket's path has {} bytes, and {} are the most: choose a "
                    "shorter one",
                    path.size(), sizeof(address.sun_path) - 1));
  }
  std::memcpy(static_cast<char*>(address.sun_path), path.data(), path.size());
  return address;
}

// Whether the file is a socket that nobody listens at.
bool is_stale(const std::string& path, const sockaddr_un& address) {
  struct stat about {};
  if (::lstat(path.c_str(), &about) != 0 || !S_ISSOCK(about.st_mode)) return false;
  const Socket probe(AF_UNIX);
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
             0 &&
         errno == ECONNREFUSED;
}

}  // namespace

ListeningSocket::ListeningSocket(int descriptor, std::string name, std::string file)
    : descriptor_(descriptor), name_(std::move(name)), file_(std::move(file)) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return;
  family_ = address.ss_family;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family_ == AF_INET) {
    const auto& ip = reinterpret_cast<const sockaddr_in&>(address);
    port_ = ntohs(ip.sin_port);
    public_ = (ntohl(ip.sin_addr.s_addr) >> 24U) != 127;
    ::inet_ntop(AF_INET, &ip.sin_addr, text.data(), text.size());
    name_ = fmt::format("http://{}:{}", text.data(), port_);
  } else if (family_ == AF_INET6) {
    const auto& ip = reinterpret_cast<const sockaddr_in6&>(address);
    port_ = ntohs(ip.sin6_port);
    public_ = IN6_IS_ADDR_LOOPBACK(&ip.sin6_addr) == 0;
    ::inet_ntop(AF_INET6, &ip.sin6_addr, text.data(), text.size());
    name_ = fmt::format("http://[{}]:{}", text.data(), port_);
  }
}

ListeningSocket::~ListeningSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      family_(other.family_),
      port_(other.port_),
      public_(other.public_),
      name_(std::move(other.name_)),
      file_(std::move(other.file_)) {}

int ListeningSocket::release() { return std::exchange(descriptor_, -1); }

std::vector<ListeningSocket> listen_at(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const auto service = std::to_string(port);
  if (const int error = ::getaddrinfo(host.c_str(), service.c_str(), &hints, &found); error != 0) {
    throw IoError(fmt::format("cannot listen at \"{}\": {}: give --host an address of this machine",
                              host, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  std::vector<ListeningSocket> sockets;
  for (const auto* each = found; each != nullptr; each = each->ai_next) {
    Socket made(each->ai_family);
    switch_on(made.get(), SOL_SOCKET, SO_REUSEADDR);
    if (each->ai_family == AF_INET6) switch_on(made.get(), IPPROTO_IPV6, IPV6_V6ONLY);
    if (::bind(made.get(), each->ai_addr, each->ai_addrlen) != 0 ||
        ::listen(made.get(), kBacklog) != 0) {
      fail(fmt::format("cannot listen at {}, port {} (choose another one with --port)", host, port),
           errno);
    }
    sockets.emplace_back(made.release(), host);
  }
  return sockets;
}

ListeningSocket listen_at_path(const std::string& path) {
  const auto address = path_address(path);
  Socket made(AF_UNIX);
  if (is_stale(path, address)) ::unlink(path.c_str());
  const auto mask = ::umask(0117);
  const int bound =
      ::bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  ::umask(mask);
  if (bound != 0) fail(fmt::format("cannot listen at {}", path), error);
  if (::listen(made.get(), kBacklog) != 0) fail(fmt::format("cannot listen at {}", path), errno);
  return {made.release(), "unix:" + path, path};
}

std::vector<ListeningSocket> systemd_sockets() {
  constexpr int first = 3;
  const auto number = [](const char* name) {
    const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
    long value = -1;
    if (text != nullptr) std::from_chars(text, text + std::strlen(text), value);
    return value;
  };
  std::vector<ListeningSocket> sockets;
  if (number("LISTEN_PID") != ::getpid()) return sockets;
  for (int i = 0; i < number("LISTEN_FDS"); ++i) {
    const int descriptor = first + i;
    (void)::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    (void)::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    sockets.emplace_back(descriptor, fmt::format("systemd's socket {}", descriptor));
  }
  return sockets;
}

void notify_systemd(const std::string& state) {
  const char* path = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): never changed
  if (path == nullptr) return;
  const std::string_view name = path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.empty() || name.size() >= sizeof(address.sun_path)) return;
  std::memcpy(static_cast<char*>(address.sun_path), name.data(), name.size());
  if (name.front() == '@') address.sun_path[0] = '\0';  // an abstract name
  const int sender = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sender < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  (void)::sendto(sender, state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), size);
  ::close(sender);
}

}  // namespace cloze::serve
