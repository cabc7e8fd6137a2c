#include "cloze/output.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "core/io/atomic_file.h"
#include "core/io/descriptor.h"
#include "core/io/files.h"
#include "core/strings.h"

namespace cloze {
namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 16;

}  // namespace

Output Output::standard_output() { return Output(nullptr); }

Output Output::file(const std::filesystem::path& path) {
  return Output(std::make_unique<AtomicFile>(path));
}

Output::Output(std::unique_ptr<AtomicFile> file) : file_(std::move(file)) {}

Output::Output(Output&& other) noexcept
    : file_(std::move(other.file_)),
      open_(std::exchange(other.open_, false)),
      buffer_(std::exchange(other.buffer_, {})),
      size_(other.size_) {}

Output::~Output() {
  if (!open_ || file_) return;
  try {
    flush();  // another error is on its way: what was computed before it is still worth having
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
  }
}

void Output::write_out(std::string_view text) {
  try {
    if (file_) return file_->write(text);
    const int error = write_fully(STDOUT_FILENO, std::as_bytes(std::span(text)));
    if (error == EPIPE) throw ClosedPipe("standard output is closed");
    if (error != 0) {
      throw IoError(
          fmt::format("cannot write standard output: {}", std::generic_category().message(error)));
    }
  } catch (const Error&) {
    buffer_.clear();  // it is not written a second time
    throw;
  }
}

void Output::write(std::string_view text) {
  size_ += static_cast<std::int64_t>(text.size());
  if (text.size() >= buffer_size) {
    flush();
    write_out(text);
    return;
  }
  buffer_.append(text);
  if (buffer_.size() >= buffer_size) flush();
}

void Output::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void Output::flush() {
  write_out(buffer_);
  buffer_.clear();
}

bool Output::seekable() const { return file_ && file_->seekable(); }

void Output::write_at(std::int64_t offset, std::span<const std::byte> bytes) {
  flush();
  if (!file_) throw IoError("standard output cannot be written out of order: name a file");
  file_->write_at(offset, bytes);
}

void Output::finish() {
  flush();
  if (!file_) return;
  open_ = false;
  file_->commit();
}

void require_no_input(const std::filesystem::path& output,
                      const std::vector<std::filesystem::path>& inputs) {
  for (const auto& input : inputs) {
    if (!files::same_file(output, input == "-" ? "/dev/stdin" : input)) continue;
    throw ArgumentError(fmt::format("{} is {}, which is read: write to another file",
                                    excerpt_of_path(output),
                                    input == "-"      ? "standard input"
                                    : input == output ? "an input"
                                                      : excerpt_of_path(input)));
  }
}

}  // namespace cloze
