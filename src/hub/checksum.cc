#include "hub/checksum.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "cloze/error.h"
#include "core/io/input_file.h"
#include "hub/names.h"

namespace cloze::hub {
namespace {

constexpr std::size_t kSha1Digits = 40;
constexpr std::size_t kSha256Digits = 64;

class Digest {
 public:
  explicit Digest(const EVP_MD* kind) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    check(context_ != nullptr && EVP_DigestInit_ex(context_.get(), kind, nullptr) == 1);
  }
  void add(std::span<const std::byte> bytes) {
    check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned int size = 0;
    check(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) == 1);
    std::string text;
    for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes.at(i));
    return text;
  }

 private:
  static void check(bool done) {
    if (!done) throw Error("OpenSSL computes no checksums here: is its configuration whole?");
  }
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

bool is_checksum(std::string_view etag) {
  return is_hex(etag, kSha1Digits) || is_hex(etag, kSha256Digits);
}

std::string checksum_of(const std::filesystem::path& path, std::string_view etag) {
  const InputFile file(path);
  const bool git = etag.size() == kSha1Digits;
  Digest digest(git ? EVP_sha1() : EVP_sha256());
  if (git) {
    const auto header = fmt::format("blob {}", file.size());
    digest.add(std::as_bytes(std::span(header.c_str(), header.size() + 1)));  // with its NUL
  }
  file.for_each_part([&digest](std::span<const std::byte> bytes) { digest.add(bytes); });
  return digest.hex();
}

}  // namespace cloze::hub
