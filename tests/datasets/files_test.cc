// What the data folder writes, and where it finds models.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/lengths.h"
#include "cloze/array_file.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/output.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FilesTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string read(const std::string& name) const {
    return testing::read_file(folder_ / name);
  }
  [[nodiscard]] std::ptrdiff_t files() const {
    return std::distance(std::filesystem::directory_iterator(folder_.path()), {});
  }

  testing::TempDirectory folder_;
};

TEST_F(FilesTest, AFileAppearsWhenItIsFinished) {
  const std::string large(200'000, 'x');
  {
    auto out = Output::file(folder_ / "f");
    out.write("begin ");
    out.write(large);
    out.write(" end");
    EXPECT_EQ(out.size(), 200'010);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "f"));
    const std::string changed = "BEGIN";
    out.write_at(0, std::as_bytes(std::span(changed)));
    out.finish();
  }
  EXPECT_EQ(read("f"), "BEGIN " + large + " end");
  EXPECT_EQ(files(), 1);
}

TEST_F(FilesTest, AnUnfinishedFileGoes) {
  { Output::file(folder_ / "f").write("half"); }
  EXPECT_EQ(files(), 0);
}

TEST_F(FilesTest, WhatCannotBeWritten) {
  EXPECT_THROW(static_cast<void>(Output::file(folder_ / "none" / "f")), IoError);
  EXPECT_THROW(static_cast<void>(Output::file(folder_.path())), IoError);
}

TEST_F(FilesTest, Npy) {
  ArrayFile file(folder_ / "x.npy", {.format = ArrayFormat::npy, .columns = 3});
  const std::vector<float> rows{1, 2, 3, 4, 5, 6};
  file.append(rows);
  file.append(std::span(rows).first(3));
  EXPECT_THROW(file.append(std::span(rows).first(2)), ArgumentError);
  EXPECT_THROW(file.end_sequence(), ArgumentError);
  EXPECT_EQ(file.rows(), 3);
  file.finish();
  const auto bytes = read("x.npy");
  EXPECT_THAT(bytes, HasSubstr("'shape': (3, 3), }"));
  EXPECT_EQ(bytes.size(), 512 + 9 * sizeof(float));
  EXPECT_EQ(bytes[511], '\n');
}

TEST_F(FilesTest, SafetensorsAreReadBackByTheCheckpoint) {
  ArrayFile file(
      folder_ / "x.safetensors",
      {.format = ArrayFormat::safetensors, .name = "states", .columns = 2, .sequences = true});
  const std::vector<float> rows{1, 2, 3, 4, 5, 6};
  file.append(rows);
  file.end_sequence();
  file.end_sequence();
  file.append(std::span(rows).first(2));
  file.end_sequence();
  file.finish();
  const auto checkpoint = Checkpoint::open(folder_ / "x.safetensors");
  EXPECT_THAT(checkpoint.names(), ElementsAre("cu_seqlens", "states"));
  const auto states = checkpoint.tensor("states");
  EXPECT_THAT(states.values<float>(), ElementsAre(1, 2, 3, 4, 5, 6, 1, 2));
  EXPECT_EQ(checkpoint.tensor("states").shape(), (Shape{4, 2}));
  const auto cu_seqlens = checkpoint.tensor("cu_seqlens");
  EXPECT_THAT(cu_seqlens.values<std::int64_t>(), ElementsAre(0, 3, 3, 4));
}

TEST_F(FilesTest, AnArrayOfNothing) {
  ArrayFile file(folder_ / "x.safetensors",
                 {.format = ArrayFormat::safetensors, .name = "states", .columns = 2});
  file.finish();
  const auto checkpoint = Checkpoint::open(folder_ / "x.safetensors");
  EXPECT_EQ(checkpoint.tensor("states").shape(), (Shape{0, 2}));
}

TEST_F(FilesTest, Lengths) {
  auto lengths = TextReader::list({"3", "512", "1"}, Tabs::space);
  EXPECT_THAT(read_lengths(lengths), ElementsAre(3, 512, 1));
  auto texts = TextReader::list({"three words here", "4"}, Tabs::space);
  EXPECT_THAT(read_lengths(texts), ElementsAre());
  for (const auto* bad : {"", "0", "-1", "2.5", "99999999999999999999", "4 "}) {
    auto mixed = TextReader::list({"3", bad}, Tabs::space);
    EXPECT_THROW(static_cast<void>(read_lengths(mixed)), FormatError) << bad;
  }
}

TEST_F(FilesTest, ModelsAreDirectoriesOrNamesInTheCache) {
  std::filesystem::create_directories(folder_ / "cloze" / "one");
  ::setenv("XDG_CACHE_HOME", folder_.path().c_str(), 1);
  ::unsetenv("CLOZE_CACHE");
  EXPECT_EQ(find_model("one"), folder_ / "cloze" / "one");
  EXPECT_EQ(find_model("somebody/one"), folder_ / "cloze" / "one");
  EXPECT_EQ(find_model(folder_.path().string()), folder_.path());
  EXPECT_THROW(static_cast<void>(find_model("two")), IoError);
  EXPECT_THROW(static_cast<void>(find_model("")), IoError);
  std::ofstream(folder_ / "file") << "text";
  EXPECT_THROW(static_cast<void>(find_model((folder_ / "file").string())), IoError);
  std::filesystem::create_directories(folder_ / "other" / "two");
  ::setenv("CLOZE_CACHE", (folder_ / "other").c_str(), 1);
  EXPECT_EQ(find_model("two"), folder_ / "other" / "two");
  EXPECT_THROW(static_cast<void>(find_model("one")), IoError);
}

}  // namespace
}  // namespace cloze
