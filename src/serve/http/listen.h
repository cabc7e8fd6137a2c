/// \file
/// Sockets that listen: of addresses, of files (Unix), and of systemd.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cloze::serve {

/// A socket that listens; closed where nobody takes its descriptor.
class ListeningSocket {
 public:
  ListeningSocket(int descriptor, std::string name, std::string file = {});
  ~ListeningSocket();
  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;

  /// The descriptor, which is the caller's to close from now on.
  [[nodiscard]] int release();
  /// "http://127.0.0.1:3000", "unix:/run/cloze.sock"
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] int family() const { return family_; }
  [[nodiscard]] int port() const { return port_; }  ///< 0 of a Unix socket
  /// The file of a Unix socket that was made here, to be removed at the end; else empty.
  [[nodiscard]] const std::string& file() const { return file_; }
  /// Whether other machines reach it.
  [[nodiscard]] bool is_public() const { return public_; }

 private:
  int descriptor_, family_ = 0, port_ = 0;
  bool public_ = false;
  std::string name_, file_;
};

/// Listens at an address ("127.0.0.1", "::1", "::", a name) and port; 0 lets the system choose. A
/// name may stand for several addresses. Throws IoError.
[[nodiscard]] std::vector<ListeningSocket> listen_at(const std::string& host, std::uint16_t port);

/// Listens at a path, mode 0660. A socket file that nobody listens at is replaced. Throws IoError.
[[nodiscard]] ListeningSocket listen_at_path(const std::string& path);

/// The sockets that systemd hands to this process (sd_listen_fds(3)); none where it does not.
[[nodiscard]] std::vector<ListeningSocket> systemd_sockets();

/// Tells systemd how the service is, where it asked to be told (sd_notify(3)): "READY=1".
void notify_systemd(const std::string& state);

}  // namespace cloze::serve
