#include "core/io/input_file.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

using ::testing::HasSubstr;
using testing::TempDirectory;

template <class Body>
std::string read_failure(const Body& body) {
  try {
    body();
  } catch (const IoError& error) {
    return error.what();
  }
  return "no error";
}

TEST(InputFile, ReadsByOffset) {
  const TempDirectory directory;
  const InputFile file(directory.write("f", "0123456789"));
  EXPECT_EQ(file.size(), 10);
  EXPECT_EQ(file.read(3, 4), "3456");
  EXPECT_EQ(file.text(), "0123456789");
  file.require_size(10);
  EXPECT_THAT(read_failure([&] { file.require_size(11); }), HasSubstr("it had 11 bytes"));
}

TEST(InputFile, HandsOnAllParts) {
  const TempDirectory directory;
  for (const std::size_t size : {0U, 1U, 1U << 20U, (1U << 20U) + 1, 3'000'000U}) {
    std::string content(size, ' ');
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 7 % 251);
    std::string read;
    InputFile(directory.write("f", content)).for_each_part([&](std::span<const std::byte> part) {
      read.append(reinterpret_cast<const char*>(part.data()), part.size());
    });
    EXPECT_EQ(read, content);
  }
}

TEST(InputFile, ReadsWhatTheSystemMakesUp) {
  EXPECT_EQ(InputFile("/proc/self/status").size(), 0);
  EXPECT_THAT(files::read_text("/proc/self/status"), HasSubstr("VmPeak"));
}

TEST(InputFile, TellsOfAFileThatIsCutShort) {
  const TempDirectory directory;
  const auto path = directory.write("f", std::string(100'000, 'a'));
  const InputFile file(path);
  std::filesystem::resize_file(path, 10);
  EXPECT_THAT(read_failure([&] { (void)file.text(); }), HasSubstr("shorter while it is in use"));
  EXPECT_THAT(read_failure([&] { (void)file.read(50'000, 10); }), HasSubstr("shorter"));
  EXPECT_THAT(read_failure([&] { file.for_each_part([](auto) {}); }), HasSubstr("shorter"));
}

TEST(InputFile, RefusesWhatIsNoRegularFile) {
  const TempDirectory directory;
  const auto fifo = directory.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(read_failure([&] { InputFile file(fifo); }), HasSubstr("not a regular file"));
  EXPECT_THAT(read_failure([] { InputFile file("/dev/zero"); }), HasSubstr("not a regular file"));
  EXPECT_THAT(read_failure([&] { InputFile file(directory.path()); }),
              HasSubstr("it is a directory"));
  EXPECT_THAT(read_failure([&] { InputFile file(directory.path() / "nothing"); }),
              HasSubstr("No such file"));
}

}  // namespace
}  // namespace cloze
