#include "core/io/mapped_file.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/error.h"
#include "cloze/memory_faults.h"
#include "core/child_process.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TempDirectory;

std::string failure(const std::filesystem::path& path) {
  try {
    (void)MappedFile::open(path);
  } catch (const IoError& error) {
    return error.what();
  }
  return "opened";
}

/// Pages of the mapping that are in memory now.
std::size_t resident_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::size_t resident = 0;
  std::vector<unsigned char> pages((bytes.size() + page - 1) / page);
  EXPECT_EQ(::mincore(const_cast<std::byte*>(bytes.data()), bytes.size(), pages.data()), 0);
  for (const auto flags : pages) resident += flags & 1U;
  return resident;
}

TEST(MappedFile, HoldsTheFilesBytes) {
  const TempDirectory directory;
  const std::string content("a\0b\n\xff", 5);
  const auto file = MappedFile::open(directory.write("f", content));
  EXPECT_EQ(file->text(), content);
  EXPECT_EQ(file->bytes().size(), 5U);
  EXPECT_EQ(file->bytes()[4], std::byte{0xFF});
}

TEST(MappedFile, MapsAnEmptyFileToNothing) {
  const TempDirectory directory;
  const auto file = MappedFile::open(directory.write("f", ""));
  EXPECT_TRUE(file->bytes().empty());
  EXPECT_EQ(file->text(), "");
  file->release(file->bytes());
}

TEST(MappedFile, FollowsLinksAndOutlivesTheFile) {
  const TempDirectory directory;
  const auto target = directory.write("blob", "content");
  std::filesystem::create_symlink("blob", directory.path() / "link");
  const auto file = MappedFile::open(directory.path() / "link");
  std::filesystem::remove(target);
  EXPECT_EQ(file->text(), "content");
}

TEST(MappedFile, SaysWhichFileCannotBeReadAndWhy) {
  const TempDirectory directory;
  const auto missing = directory.path() / "missing";
  EXPECT_THAT(failure(missing),
              AllOf(HasSubstr(missing.string()), HasSubstr("No such file or directory")));
  EXPECT_THAT(failure(directory.path()), HasSubstr("it is a directory"));
  EXPECT_THAT(failure("/dev/null"), HasSubstr("not a regular file"));
  const auto pipe = directory.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(failure(pipe), HasSubstr("not a regular file"));  // and does not wait for a writer
  const auto loop = directory.path() / "loop";
  std::filesystem::create_symlink("loop", loop);
  EXPECT_THAT(failure(loop), HasSubstr("symbolic link"));
  if (::geteuid() != 0) {
    const auto secret = directory.write("secret", "x");
    std::filesystem::permissions(secret, std::filesystem::perms::none);
    EXPECT_THAT(failure(secret), HasSubstr("Permission denied"));
  }
}

TEST(MappedFile, ReleaseKeepsTheBytesReadable) {
  const TempDirectory directory;
  std::string content(1 << 20, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 >> 7U);
  const auto file = MappedFile::open(directory.write("f", content));
  ASSERT_EQ(file->text(), content);  // every page is read
  file->release(file->bytes());
  file->release(file->bytes().subspan(5, 3));  // inside one page: nothing to do
  file->release(file->bytes().subspan(100, 20000));
  EXPECT_EQ(file->text(), content);
  EXPECT_GT(resident_pages(file->bytes()), 0U);
}

TEST(MappedFile, TellsThatItsFileHasChanged) {
  const TempDirectory directory;
  const auto path = directory.write("f", std::string(20'000, 'a'));
  const auto file = MappedFile::open(path);
  file->require_unchanged();
  std::filesystem::rename(directory.write("other", "b"), path);  // another file of that name
  file->require_unchanged();

  const auto written = MappedFile::open(path);
  const auto later = std::filesystem::last_write_time(path) + std::chrono::seconds(2);
  std::filesystem::last_write_time(path, later);
  EXPECT_THROW(written->require_unchanged(), IoError);

  const auto cut = MappedFile::open(directory.write("g", std::string(20'000, 'a')));
  std::filesystem::resize_file(directory.path() / "g", 100);
  EXPECT_THROW(cut->require_unchanged(), IoError);
}

// In a process of its own: the handler stays.
TEST(MappedFileDeathTest, ReadsZerosBeyondTheEndWhereThatIsAskedFor) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto read_beyond = [](bool survive) {
    if (survive) survive_cut_files();
    const TempDirectory directory;
    const auto path = directory.write("f", std::string(20'000, 'a'));
    const auto file = MappedFile::open(path);
    std::filesystem::resize_file(path, 100);
    const bool zeros =
        file->text()[50] == 'a' && file->text()[9000] == 0 && file->text()[15'000] == 0;
    std::filesystem::resize_file(path, 20'000);
    int thrown = 0;
    try {
      file->require_unchanged();
    } catch (const IoError&) {
      ++thrown;
    }
    try {
      require_no_cut_file();
    } catch (const IoError& error) {
      thrown += std::string(error.what()).find(path.string()) != std::string::npos ? 1 : 0;
    }
    std::_Exit(zeros && thrown == 2 ? 0 : 1);
  };
  EXPECT_EXIT(read_beyond(true), ::testing::ExitedWithCode(0), "");
  if (testing::kAddressSanitizer) return;  // which reports a signal that nobody else handles
  EXPECT_EXIT(read_beyond(false), ::testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace cloze
