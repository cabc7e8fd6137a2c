// Writing: byte for byte what the reference libraries write, and never half of it.
#include <csignal>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/temp_directory.h"
#include "formats/safetensors_bytes.h"
#include "places.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::read_file;
using testing::TempDirectory;

namespace fs = std::filesystem;

const fs::path kSavedGoldens = fs::path(kSourceDir) / "tests/goldens/checkpoint";

TensorMap tensors_of(const Checkpoint& checkpoint) {
  TensorMap tensors;
  for (const auto& name : checkpoint.names()) tensors.emplace(name, checkpoint.tensor(name));
  return tensors;
}

TensorMap small_tensors() {
  const std::vector<float> values{1, 2, 3};
  return {{"x", Tensor::from<float>({3}, values)}};
}

std::set<std::string> files_in(const fs::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

TEST(SaveSafetensors, WritesTheBytesOfTheReferenceWriter) {
  const auto golden = kSavedGoldens / "dtypes.safetensors";
  const TempDirectory directory;
  save_safetensors(directory.path() / "out.safetensors", tensors_of(Checkpoint::open(golden)));
  EXPECT_EQ(read_file(directory.path() / "out.safetensors"), read_file(golden));
  EXPECT_THAT(files_in(directory.path()), ElementsAre("out.safetensors"));
}

TEST(SaveSafetensors, WritesOtherMetadataAndNone) {
  const TempDirectory directory;
  const auto path = directory.path() / "out.safetensors";
  const std::map<std::string, std::string> metadata{{"format", "pt"}, {"note \"é\"", "1\n2"}};
  save_safetensors(path, small_tensors(), metadata);
  EXPECT_EQ(Checkpoint::open(path).metadata(), metadata);
  save_safetensors(path, small_tensors(), {});
  EXPECT_THAT(Checkpoint::open(path).metadata(), IsEmpty());
  save_safetensors(path, {}, {});
  EXPECT_EQ(read_file(path), testing::safetensors("{}      ", ""));
  EXPECT_THAT(Checkpoint::open(path).names(), IsEmpty());
}

TEST(SaveSafetensors, KeepsViewsOfTheFileThatItReplaces) {
  const TempDirectory directory;
  const auto path = directory.path() / "model.safetensors";
  save_safetensors(path, small_tensors());
  auto tensors = tensors_of(Checkpoint::open(path));
  tensors.emplace("y", tensors.at("x").rows(1, 3));
  save_safetensors(path, tensors);  // from the mapped file onto itself
  const auto written = Checkpoint::open(path);
  const auto x = written.tensor("x").to(DType::f64);
  EXPECT_THAT(x.values<double>(), ElementsAre(1, 2, 3));
  const auto y = written.tensor("y").to(DType::f64);
  EXPECT_THAT(y.values<double>(), ElementsAre(2, 3));
}

TEST(SaveSafetensors, GivesTheFileTheUsualPermissions) {
  const TempDirectory directory;
  const auto before = ::umask(022);
  save_safetensors(directory.path() / "a", small_tensors());
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat((directory.path() / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0644U);
}

TEST(SaveSafetensors, RefusesNamesThatTheFormatCannotHold) {
  const TempDirectory directory;
  const auto path = directory.path() / "model.safetensors";
  EXPECT_THROW(save_safetensors(path, {{"__metadata__", Tensor::zeros(DType::f32, {1})}}),
               ArgumentError);
  EXPECT_THROW(save_safetensors(path, {{"\xff", Tensor::zeros(DType::f32, {1})}}), ArgumentError);
  EXPECT_THROW(save_safetensors(path, small_tensors(), {{"k", "\xc3"}}), ArgumentError);
  EXPECT_THAT(files_in(directory.path()), IsEmpty());
}

TEST(SaveSafetensors, SaysWhichFileCannotBeWritten) {
  const TempDirectory directory;
  const auto path = directory.path() / "missing" / "model.safetensors";
  try {
    save_safetensors(path, small_tensors());
    FAIL();
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr(path.string()));
    EXPECT_THAT(error.what(), HasSubstr("No such file or directory"));
  }
  fs::create_directory(directory.path() / "folder");
  EXPECT_THROW(save_safetensors(directory.path() / "folder", small_tensors()), IoError);
  EXPECT_THAT(files_in(directory.path()), ElementsAre("folder"));
}

/// A limit on the size of files stands for the full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t largest_file) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit limit{largest_file, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST(SaveSafetensors, LeavesTheOldFileWhenTheDiskIsFull) {
  const TempDirectory directory;
  const auto path = directory.path() / "model.safetensors";
  save_safetensors(path, small_tensors());
  const auto before = read_file(path);
  {
    const FullDisk disk(4096);
    EXPECT_THROW(save_safetensors(path, {{"big", Tensor::zeros(DType::f32, {4096})}}), IoError);
  }
  EXPECT_EQ(read_file(path), before);
  EXPECT_THAT(files_in(directory.path()), ElementsAre("model.safetensors"));
}

TEST(SaveCheckpoint, LeavesTheOldShardsWhenTheDiskIsFull) {
  const TempDirectory directory;
  const auto tensors = tensors_of(Checkpoint::open(kSavedGoldens / "sharded"));
  save_checkpoint(directory.path(), tensors, 200);
  const auto names = files_in(directory.path());
  auto others = tensors;
  others.emplace("z", Tensor::zeros(DType::f32, {4096}));  // in the last shard: others fit
  {
    const FullDisk disk(4096);
    EXPECT_THROW(save_checkpoint(directory.path(), others, 200), IoError);
  }
  EXPECT_EQ(files_in(directory.path()), names);
  EXPECT_EQ(Checkpoint::open(directory.path()).names(),
            Checkpoint::open(kSavedGoldens / "sharded").names());
  for (const auto& name : names) {
    EXPECT_EQ(read_file(directory.path() / name), read_file(kSavedGoldens / "sharded" / name))
        << name;
  }
}

TEST(SaveCheckpoint, WritesTheShardsAndIndexOfTransformers) {
  const TempDirectory directory;
  save_checkpoint(directory.path(), tensors_of(Checkpoint::open(kSavedGoldens / "sharded")), 200);
  EXPECT_EQ(files_in(directory.path()), files_in(kSavedGoldens / "sharded"));
  for (const auto& name : files_in(kSavedGoldens / "sharded")) {
    EXPECT_EQ(read_file(directory.path() / name), read_file(kSavedGoldens / "sharded" / name))
        << name;
  }
}

TEST(SaveCheckpoint, WritesOneFileAndMakesTheFolder) {
  const TempDirectory directory;
  const auto deeper = directory.path() / "new" / "model";
  save_checkpoint(deeper, small_tensors());
  EXPECT_THAT(files_in(deeper), ElementsAre("model.safetensors"));
  EXPECT_EQ(Checkpoint::open(deeper).names(), std::vector<std::string>{"x"});
}

TEST(SaveCheckpoint, ReplacesAnEarlierSaveOfAnotherForm) {
  const TempDirectory directory;
  const auto& path = directory.path();
  directory.write("model-notes-of-mine.safetensors", "keep");
  const auto six = tensors_of(Checkpoint::open(kSavedGoldens / "sharded"));
  save_checkpoint(path, small_tensors());
  save_checkpoint(path, six, 200);
  EXPECT_EQ(Checkpoint::open(path).names().size(), 6U);
  EXPECT_FALSE(fs::exists(path / "model.safetensors"));
  save_checkpoint(path, six, 400);
  EXPECT_EQ(Checkpoint::open(path).names().size(), 6U);
  EXPECT_FALSE(fs::exists(path / "model-00001-of-00004.safetensors"));
  save_checkpoint(path, small_tensors());
  EXPECT_EQ(Checkpoint::open(path).names(), std::vector<std::string>{"x"});
  EXPECT_THAT(files_in(path), ElementsAre("model-notes-of-mine.safetensors", "model.safetensors"));
}

TEST(SaveCheckpoint, RefusesASizeThatHoldsNothingAndAFileInTheWay) {
  const TempDirectory directory;
  EXPECT_THROW(save_checkpoint(directory.path(), small_tensors(), 0), ArgumentError);
  EXPECT_THROW(save_checkpoint(directory.path(), small_tensors(), -1), ArgumentError);
  const auto file = directory.write("file", "");
  EXPECT_THROW(save_checkpoint(file, small_tensors()), IoError);
  EXPECT_THROW(save_checkpoint(file / "deeper", small_tensors()), IoError);
}

}  // namespace
}  // namespace cloze
