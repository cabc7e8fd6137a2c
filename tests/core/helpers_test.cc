// The small helpers that everything above core uses.
#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/batch.h"
#include "cloze/error.h"
#include "core/clock.h"
#include "core/io/descriptor.h"
#include "core/io/files.h"
#include "core/numbers.h"
#include "core/strings.h"
#include "core/temp_directory.h"
#include "core/token_count.h"
#include "core/utf8.h"
#include "core/vectors.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempDirectory;

TEST(Strings, TrimsAsciiWhiteSpaceAlone) {
  EXPECT_EQ(trimmed(" \t\r\n\v\fa b\n"), "a b");
  EXPECT_EQ(trimmed(" \n "), "");
  EXPECT_EQ(trimmed(""), "");
  EXPECT_EQ(trimmed("\xC2\xA0x"), "\xC2\xA0x");  // a no-break space is no ASCII
}

TEST(Strings, LowersAsciiWhateverTheLocale) {
  EXPECT_EQ(lower_ascii("TITLE-Content"), "title-content");
  EXPECT_EQ(lower_ascii("\xC4I"), "\xC4i");
  // Turkish, where it is installed, has another lower case of I.
  const std::string before = std::setlocale(LC_ALL, nullptr);
  static_cast<void>(std::setlocale(LC_ALL, "tr_TR.ISO-8859-9"));
  EXPECT_EQ(lower_ascii("ETAG: I"), "etag: i");
  static_cast<void>(std::setlocale(LC_ALL, before.c_str()));
}

TEST(Strings, ExcerptsAreShortAndPrintable) {
  EXPECT_EQ(excerpt("B-\xC3\x84rzte \xE6\x97\xA5"), "B-\xC3\x84rzte \xE6\x97\xA5");
  EXPECT_EQ(in_quotes(""), "\"\"");
  EXPECT_EQ(in_quotes("a\n\x1b[1m\x7F"), R"("a\x0a\x1b[1m\x7f")");
  EXPECT_EQ(excerpt("\xFFx\xE6\x97"), R"(\xffx\xe6\x97)");  // not UTF-8, and cut UTF-8
  EXPECT_EQ(excerpt("\xC2\x9B"), R"(\xc2\x9b)");  // C1: a terminal's escape in one character
  EXPECT_EQ(excerpt(std::string(80, 'x')), std::string(80, 'x'));
  EXPECT_EQ(excerpt(std::string(81, 'x')), std::string(80, 'x') + "...");
  // Never in the middle of a character.
  const auto cut = excerpt(std::string(79, 'x') + "\xE6\x97\xA5y");
  EXPECT_EQ(cut, std::string(79, 'x') + "\xE6\x97\xA5...");
  EXPECT_LT(excerpt(std::string(1'000, '\x01')).size(), 90U);

  EXPECT_EQ(excerpt_of_list(std::vector<std::string>{"a", "b"}), "a, b");
  EXPECT_EQ(excerpt_of_list(std::vector<std::string>(20, "a")).substr(30), "a, a, ...");
  EXPECT_LT(excerpt_of_list(std::vector<std::string>(20, std::string(100, 'a'))).size(), 600U);
}

TEST(Numbers, AreTheWholeText) {
  EXPECT_EQ(whole_number("-12"), -12);
  EXPECT_EQ(whole_number<std::size_t>("12"), 12U);
  for (const auto* text : {"", " 1", "1 ", "+1", "1.0", "0x1", "9223372036854775808", "one"}) {
    EXPECT_EQ(whole_number(text), std::nullopt) << text;
  }
  EXPECT_EQ(whole_number<std::size_t>("-1"), std::nullopt);
  EXPECT_EQ(whole_number<int>("2147483648"), std::nullopt);
  EXPECT_EQ(real_number("-1.5e2"), -150.0);
  EXPECT_EQ(real_number("inf"), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(real_number("nan").has_value());
  for (const auto* text : {"inf", "-inf", "nan", "1e999", "", "1,5", "1.5 "}) {
    EXPECT_EQ(finite_number(text), std::nullopt) << text;
  }
  EXPECT_EQ(finite_number("0.25"), 0.25);
}

TEST(Clock, CountsSecondsAndMilliseconds) {
  const auto start = Clock::now() - std::chrono::milliseconds(2500);
  EXPECT_GE(seconds_since(start), 2.5);
  EXPECT_LT(seconds_since(start), 60.0);
  EXPECT_GE(milliseconds_since(start), 2500.0);
}

TEST(Utf8, CountsCodePoints) {
  EXPECT_EQ(utf8::count_code_points("aé漢😀"), 4);
  EXPECT_EQ(utf8::count_code_points(""), 0);
  EXPECT_EQ(utf8::byte_of_code_point("aé漢😀", 0), 0U);
  EXPECT_EQ(utf8::byte_of_code_point("aé漢😀", 3), 6U);
  EXPECT_EQ(utf8::byte_of_code_point("aé漢😀", 4), std::string_view::npos);
}

TEST(Vectors, AreRowsOfTensors) {
  const auto matrix = Tensor::from<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  EXPECT_THAT(row_of(matrix, 1), ElementsAre(4, 5, 6));
  const std::array a{1.0, 2.0, 2.0}, b{2.0, 0.5, 0.0};
  EXPECT_EQ(dot(a, b), 3.0);
}

TEST(TokenCount, EndsWhereCuSeqlensDoes) {
  EXPECT_EQ(cu_seqlen(2147483647), 2147483647);
  EXPECT_THROW(static_cast<void>(cu_seqlen(2147483648)), ArgumentError);
}

TEST(WriteFully, GoesOnAfterPartsAndSignals) {
  const std::string text = "some bytes";
  std::string written;
  int calls = 0;
  const auto write = [&](std::span<const std::byte> rest) -> std::int64_t {
    if (++calls == 2) {
      errno = EINTR;
      return -1;
    }
    const auto part = rest.first(std::min<std::size_t>(rest.size(), 4));
    written.append(reinterpret_cast<const char*>(part.data()), part.size());
    return static_cast<std::int64_t>(part.size());
  };
  EXPECT_EQ(write_fully(std::as_bytes(std::span(text)), write), 0);
  EXPECT_EQ(written, text);
  EXPECT_EQ(calls, 4);
}

TEST(WriteFully, EndsWhereNothingIsWritten) {
  const std::string text = "some bytes";
  int calls = 0;
  const auto nothing = [&](std::span<const std::byte>) -> std::int64_t {
    ++calls;
    return 0;
  };
  EXPECT_EQ(write_fully(std::as_bytes(std::span(text)), nothing), ENOSPC);
  EXPECT_EQ(calls, 1);
  const auto failing = [](std::span<const std::byte>) -> std::int64_t {
    errno = EIO;
    return -1;
  };
  EXPECT_EQ(write_fully(std::as_bytes(std::span(text)), failing), EIO);
}

template <class Call>
std::string file_failure(const Call& call) {
  try {
    call();
  } catch (const IoError& error) {
    return error.what();
  }
  return "no IoError";
}

TEST(Files, AnswerWithoutThrowing) {
  const TempDirectory directory;
  const auto file = directory.write("file", "four");
  fs::create_symlink("loop", directory / "loop");
  EXPECT_TRUE(files::exists(file));
  EXPECT_TRUE(files::is_regular(file));
  EXPECT_FALSE(files::is_directory(file));
  EXPECT_TRUE(files::is_directory(directory.path()));
  EXPECT_EQ(files::size(file), 4);
  const auto long_name = directory / std::string(5000, 'n');
  for (const auto& path : {directory / "missing", directory / "loop", file / "below", long_name}) {
    EXPECT_FALSE(files::exists(path));
    EXPECT_FALSE(files::is_directory(path));
    EXPECT_FALSE(files::is_regular(path));
    EXPECT_EQ(files::size(path), std::nullopt);
    EXPECT_EQ(files::text_if_readable(path), std::nullopt);
  }
}

TEST(Files, FailWithIoErrorThatNamesThePath) {
  const TempDirectory directory;
  const auto file = directory.write("file", "four");
  fs::create_symlink("loop", directory / "loop");
  EXPECT_THAT(file_failure([&] { static_cast<void>(files::read_text(directory / "missing")); }),
              HasSubstr("missing: No such file"));
  EXPECT_THAT(file_failure([&] { static_cast<void>(files::read_text(directory.path())); }),
              HasSubstr("it is a directory"));
  EXPECT_THAT(file_failure([&] { files::write_text(file / "below", ""); }),
              HasSubstr("below: Not a directory"));
  EXPECT_THAT(file_failure([&] { files::make_directory(file); }),
              HasSubstr("file: Not a directory"));
  EXPECT_THAT(file_failure([&] { files::make_directory(file / "below"); }),
              HasSubstr("below: Not a directory"));
  EXPECT_THAT(file_failure([&] { files::remove(file / "below"); }), HasSubstr("below"));
  EXPECT_THAT(file_failure([&] { static_cast<void>(files::list(file)); }),
              HasSubstr("file: Not a directory"));
  EXPECT_THAT(file_failure([&] { static_cast<void>(files::list(directory / "loop")); }),
              HasSubstr("loop: Too many"));
  EXPECT_THAT(
      file_failure([&] { static_cast<void>(files::list_recursively(directory / "missing")); }),
      HasSubstr("missing: No such file"));
  EXPECT_THAT(file_failure([&] { files::copy(directory / "missing", file); }),
              HasSubstr("missing"));
  EXPECT_EQ(files::read_text(file), "four");
}

TEST(Files, ReadWriteCopyListAndRemove) {
  const TempDirectory directory;
  files::make_directory(directory / "a/b");
  files::make_directory(directory / "a/b");  // there already
  files::write_text(directory / "a/b/text", std::string(100'000, 'x'));
  files::copy(directory / "a/b/text", directory / "a/copy");
  EXPECT_EQ(files::read_text(directory / "a/copy"), std::string(100'000, 'x'));
  EXPECT_THAT(files::list(directory / "a"), ElementsAre(directory / "a/b", directory / "a/copy"));
  EXPECT_THAT(files::list_recursively(directory.path()),
              ElementsAre(directory / "a/b/text", directory / "a/copy"));
  files::remove(directory / "a/copy");
  files::remove(directory / "a/copy");  // gone already
  files::remove_tree(directory / "a");
  EXPECT_TRUE(files::list(directory.path()).empty());
}

}  // namespace
}  // namespace cloze
