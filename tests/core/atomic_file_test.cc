#include "core/io/atomic_file.h"

#include <array>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/array_file.h"
#include "cloze/error.h"
#include "cloze/output.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::read_file;
using testing::TempDirectory;
using testing::write_file;

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

template <class Call>
std::string io_failure(const Call& call) {
  try {
    call();
  } catch (const IoError& error) {
    return error.what();
  }
  return "no IoError";
}

/// Changes the umask for a scope.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;
  ~Umask() { ::umask(before_); }

 private:
  mode_t before_;
};

TEST(AtomicFile, AppearsWholeOrNotAtAll) {
  const TempDirectory directory;
  const auto path = directory.write("file", "before");
  {
    AtomicFile file(path);
    file.write("after");
    EXPECT_EQ(read_file(path), "before");
  }
  EXPECT_EQ(read_file(path), "before");
  EXPECT_THAT(files::list(directory.path()), ElementsAre(path));
  AtomicFile file(path);
  file.write("after");
  file.commit();
  EXPECT_EQ(read_file(path), "after");
  EXPECT_THAT(files::list(directory.path()), ElementsAre(path));
}

TEST(AtomicFile, KeepsTheModeAndHonoursTheUmask) {
  const TempDirectory directory;
  const auto path = directory.write("file", "before");
  fs::permissions(path, fs::perms(0751));
  const Umask umask(027);
  files::write_text(path, "after");
  EXPECT_EQ(mode_of(path), 0751U);
  files::write_text(directory / "new", "text");
  EXPECT_EQ(mode_of(directory / "new"), 0640U);
  auto output = Output::file(path);
  output.write("again");
  output.finish();
  EXPECT_EQ(mode_of(path), 0751U);
  EXPECT_EQ(read_file(path), "again");
}

TEST(AtomicFile, FollowsLinks) {
  const TempDirectory directory;
  fs::create_directory(directory / "real");
  write_file(directory / "real/file", "before");
  fs::create_symlink("real/file", directory / "inner");
  fs::create_symlink(directory / "inner", directory / "outer");
  files::write_text(directory / "outer", "after");
  EXPECT_TRUE(fs::is_symlink(directory / "outer"));
  EXPECT_TRUE(fs::is_symlink(directory / "inner"));
  EXPECT_EQ(read_file(directory / "real/file"), "after");
  // A link to a file that is not there yet makes that file.
  fs::create_symlink("real/new", directory / "dangling");
  files::write_text(directory / "dangling", "new");
  EXPECT_TRUE(fs::is_symlink(directory / "dangling"));
  EXPECT_EQ(read_file(directory / "real/new"), "new");
  EXPECT_THAT(files::list(directory / "real"),
              ElementsAre(directory / "real/file", directory / "real/new"));
}

TEST(AtomicFile, WritesDevicesDirectly) {
  AtomicFile file("/dev/null");
  file.write("gone");
  file.commit();
  struct stat status {};
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
  EXPECT_THAT(io_failure([] { files::write_text("/dev/full", "text"); }),
              HasSubstr("/dev/full: No space left"));
}

TEST(AtomicFile, WritesToFifos) {
  const TempDirectory directory;
  const auto path = directory / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::string received;
  std::thread reader([&] { received = read_file(path); });
  files::write_text(path, "through");
  reader.join();
  EXPECT_EQ(received, "through");
  EXPECT_TRUE(fs::is_fifo(path));
  EXPECT_THAT(files::list(directory.path()), ElementsAre(path));
}

TEST(AtomicFile, WritesToOpenDescriptors) {
  const TempDirectory directory;
  const auto path = directory.write("log", "first\n");
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(descriptor, 0);
  for (const auto* folder : {"/dev/fd/", "/proc/self/fd/"}) {
    AtomicFile file(folder + std::to_string(descriptor));
    file.write("more\n");
    EXPECT_FALSE(file.seekable());
    file.commit();
  }
  fs::create_symlink("/proc/self/fd/" + std::to_string(descriptor), directory / "link");
  files::write_text(directory / "link", "last\n");
  ::close(descriptor);
  EXPECT_EQ(read_file(path), "first\nmore\nmore\nlast\n");
  EXPECT_THAT(io_failure([] { files::write_text("/dev/fd/9999", ""); }), HasSubstr("/dev/fd/9999"));
}

TEST(AtomicFile, SaysThatNobodyReads) {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  const auto path = "/dev/fd/" + std::to_string(ends[1]);
  EXPECT_THROW(files::write_text(path, "text"), ClosedPipe);
  ::close(ends[1]);
}

TEST(AtomicFile, RefusesWhatCannotBeAFile) {
  const TempDirectory directory;
  const auto file = directory.write("file", "text");
  fs::create_symlink("loop", directory / "loop");
  EXPECT_THAT(io_failure([&] { AtomicFile made(directory.path()); }),
              HasSubstr("it is a directory"));
  EXPECT_THAT(io_failure([&] { AtomicFile made(directory / "loop"); }),
              HasSubstr("loop: Too many"));
  EXPECT_THAT(io_failure([&] { AtomicFile made(file / "below"); }), HasSubstr("Not a directory"));
  EXPECT_THAT(io_failure([&] { AtomicFile made(directory / "missing/file"); }),
              HasSubstr("No such file"));
  EXPECT_THAT(io_failure([&] { AtomicFile made(directory / std::string(300, 'n')); }),
              HasSubstr("File name too long"));
  EXPECT_THAT(io_failure([&] { AtomicFile made(""); }), HasSubstr("No such file"));
  EXPECT_THAT(files::list(directory.path()), ElementsAre(file, directory / "loop"));
}

TEST(AtomicFile, DoesNotReplaceWhatNobodyMayWrite) {
  const TempDirectory directory;
  const auto path = directory.write("file", "before");
  fs::permissions(path, fs::perms(0444));
  EXPECT_THAT(io_failure([&] { files::write_text(path, "after"); }), HasSubstr("read-only"));
  EXPECT_EQ(read_file(path), "before");
  EXPECT_THAT(files::list(directory.path()), ElementsAre(path));
}

TEST(AtomicFile, NamesBelowProcAreOpened) {
  const TempDirectory directory;
  const auto path = directory.write("log", "");
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(descriptor, 0);
  const auto number = std::to_string(descriptor);
  fs::create_directory_symlink("/proc/self/fd", directory / "fd");
  files::write_text("/proc/" + std::to_string(::getpid()) + "/fd/" + number, "one\n");
  files::write_text(directory / "fd" / number, "two\n");
  ::close(descriptor);
  EXPECT_EQ(read_file(path), "one\ntwo\n");
}

TEST(AtomicFile, SeveralAreReplacedAsOne) {
  const TempDirectory directory;
  const auto data = directory.write("data", "old data"), model = directory.write("model", "old");
  AtomicFile first(data), last(model);
  first.write("new data");
  last.write("new");
  const std::array both{&first, &last};
  AtomicFile::commit(both);
  EXPECT_EQ(read_file(data) + read_file(model), "new datanew");
  EXPECT_THAT(files::list(directory.path()), ElementsAre(data, model));
}

TEST(AtomicFile, WhatCannotBeReplacedTogetherStaysAsItWas) {
  const TempDirectory directory;
  const auto data = directory.write("data", "old data"), model = directory.write("model", "old");
  AtomicFile first(data), last(model);
  first.write("new data");
  last.write("new");
  // Somebody takes the temporary of the last away: it is known when the first is in place.
  for (const auto& entry : files::list(directory.path())) {
    if (entry.filename().string().starts_with(".model.")) fs::remove(entry);
  }
  const std::array both{&first, &last};
  EXPECT_THROW(AtomicFile::commit(both), IoError);
  EXPECT_EQ(read_file(data), "old data");
  EXPECT_EQ(read_file(model), "old");
}

TEST(FilesCopy, CopiesAndSaysWhatIsNoFile) {
  const TempDirectory directory;
  const std::string text(3'000'000, 'x');
  const auto from = directory.write("from", text), empty = directory.write("empty", "");
  files::copy(from, directory / "to");
  EXPECT_EQ(read_file(directory / "to"), text);
  files::copy(empty, directory / "to");
  EXPECT_EQ(read_file(directory / "to"), "");
  // A copy is no link: what is changed in one stays in the other.
  files::copy(from, directory / "to");
  std::ofstream(directory / "to", std::ios::in) << "changed";
  EXPECT_EQ(read_file(from), text);
  EXPECT_THAT(io_failure([&] { files::copy(directory.path(), directory / "no"); }),
              HasSubstr("not a regular file"));
  EXPECT_THAT(io_failure([&] { files::copy(directory / "none", directory / "no"); }),
              HasSubstr("none: No such file"));
  EXPECT_FALSE(fs::exists(directory / "no"));
}

TEST(SameFile, KnowsAFileByAllOfItsNames) {
  const TempDirectory directory;
  const auto file = directory.write("file", "text"), other = directory.write("other", "text");
  fs::create_symlink("file", directory / "link");
  fs::create_hard_link(file, directory / "hard");
  for (const auto* name : {"file", "./file", "link", "hard"}) {
    EXPECT_TRUE(files::same_file(file, directory / name)) << name;
    EXPECT_THROW(require_no_input(directory / name, {other, file}), ArgumentError) << name;
  }
  EXPECT_FALSE(files::same_file(file, other));
  EXPECT_FALSE(files::same_file("/dev/null", "/dev/null"));  // nothing there could be lost
  EXPECT_NO_THROW(require_no_input(directory / "new", {other, directory / "new"}));
}

TEST(AtomicFile, TakesTheLongestName) {
  const TempDirectory directory;
  const auto path = directory / std::string(255, 'n');
  files::write_text(path, "text");
  EXPECT_EQ(read_file(path), "text");
}

TEST(AtomicFile, IsNotStoppedByWhatAKilledProcessLeftBehind) {
  const TempDirectory directory;
  // A process of the same id, which is usual in containers.
  for (int i = 0; i < 3; ++i) {
    directory.write(".file." + std::to_string(::getpid()) + "-" + std::to_string(i) + ".tmp", "");
  }
  files::write_text(directory / "file", "text");
  auto output = Output::file(directory / "file");
  output.write("again");
  output.finish();
  EXPECT_EQ(read_file(directory / "file"), "again");
}

TEST(AtomicFile, IsWrittenByManyThreadsAtOnce) {
  const TempDirectory directory;
  const auto path = directory / "file";
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) files::write_text(path, std::string(10'000, char('a' + t)));
    });
  }
  for (auto& thread : threads) thread.join();
  const auto text = read_file(path);
  EXPECT_EQ(text, std::string(10'000, text.front()));
  EXPECT_THAT(files::list(directory.path()), ElementsAre(path));
}

TEST(Output, OverwritesWhereAFileCan) {
  const TempDirectory directory;
  auto output = Output::file(directory / "file");
  EXPECT_TRUE(output.seekable());
  output.write("xxxx tail");
  const std::string head = "head";
  output.write_at(0, std::as_bytes(std::span(head)));
  output.finish();
  EXPECT_EQ(read_file(directory / "file"), "head tail");
}

TEST(Output, SaysWhatAPipeCannotHold) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const auto path = "/dev/fd/" + std::to_string(ends[1]);
  EXPECT_THAT(
      io_failure([&] { ArrayFile array(path, {.format = ArrayFormat::npy, .columns = 1}); }),
      HasSubstr("cannot be written out of order"));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Output, RemovesWhatWasNotFinished) {
  const TempDirectory directory;
  {
    auto output = Output::file(directory / "file");
    output.write(std::string(100'000, 'x'));
    auto moved = std::move(output);
    moved.write("more");
  }
  EXPECT_TRUE(files::list(directory.path()).empty());
}

}  // namespace
}  // namespace cloze
