// Opening directories, files and shard indices.
#include "cloze/checkpoint.h"

#include <chrono>
#include <cstdlib>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cloze/error.h"
#include "core/temp_directory.h"
#include "formats/safetensors_bytes.h"
#include "places.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::safetensors;
using testing::TempDirectory;

namespace fs = std::filesystem;

const fs::path kGoldens = fs::path(kSourceDir) / "tests/goldens/checkpoint";

template <class Expected>
std::string failure(const fs::path& path) {
  try {
    (void)Checkpoint::open(path);
  } catch (const Expected& error) {
    EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another exception: " << error.what();
    return "";
  }
  ADD_FAILURE() << path << " was accepted";
  return "";
}

std::string one(const std::string& name) {
  return safetensors("{\"" + name + R"(":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})",
                     "1234");
}

TEST(Checkpoint, OpensADirectoryAFileOrAnIndex) {
  const TempDirectory directory;
  const auto file = directory.write("model.safetensors", one("a"));
  const auto other = directory.write("weights of mine", one("b"));
  EXPECT_THAT(Checkpoint::open(directory.path()).names(), ElementsAre("a"));
  EXPECT_THAT(Checkpoint::open(file).names(), ElementsAre("a"));
  EXPECT_THAT(Checkpoint::open(other).names(), ElementsAre("b"));
  EXPECT_EQ(Checkpoint::open(file).path(), file);
  EXPECT_EQ(Checkpoint::open(file).info("a").file, "model.safetensors");
  for (const auto& path :
       {kGoldens / "sharded", kGoldens / "sharded/model.safetensors.index.json"}) {
    const auto sharded = Checkpoint::open(path);
    EXPECT_THAT(sharded.names(), ElementsAre("a", "b", "c", "d", "e", "f"));
    EXPECT_EQ(sharded.info("c").file, "model-00001-of-00004.safetensors");
    EXPECT_EQ(sharded.info("a").file, "model-00002-of-00004.safetensors");
    EXPECT_EQ(sharded.tensor("b").shape(), (Shape{4, 8}));
    EXPECT_EQ(sharded.tensor("f").dtype(), DType::i64);
    EXPECT_EQ(sharded.metadata().at("format"), "pt");
    const auto c = sharded.tensor("c").to(DType::f64);
    EXPECT_EQ(c.values<double>()[80], 78.0);
  }
}

TEST(Checkpoint, AsksByName) {
  const TempDirectory directory;
  const auto checkpoint = Checkpoint::open(directory.write("m", one("a")));
  EXPECT_TRUE(checkpoint.contains("a"));
  EXPECT_FALSE(checkpoint.contains("b"));
  EXPECT_EQ(checkpoint.info("a").shape, Shape{4});
  try {
    (void)checkpoint.tensor("bert.pooler.dense.weight");
    FAIL();
  } catch (const ModelError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("\"bert.pooler.dense.weight\""),
                                    HasSubstr(directory.path().string())));
  }
  EXPECT_THROW((void)checkpoint.info("b"), ModelError);
  EXPECT_THROW(checkpoint.release("b"), ModelError);
}

TEST(Checkpoint, ViewsOutliveItAndAReleaseAndTheFile) {
  const TempDirectory directory;
  const auto path = directory.path() / "model.safetensors";
  std::vector<float> values(100000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  save_safetensors(path, {{"x", Tensor::from<float>({100000}, values)}});
  Tensor tensor;
  {
    const auto checkpoint = Checkpoint::open(path);
    tensor = checkpoint.tensor("x");
    checkpoint.release("x");
  }
  fs::remove(path);
  const auto read = tensor.to(DType::f64);
  EXPECT_EQ(read.values<double>()[0], 0.0);
  EXPECT_EQ(read.values<double>()[99999], 99999.0);
  EXPECT_THROW((void)tensor.mutable_bytes(), ArgumentError);
}

TEST(Checkpoint, IsSharedByThreads) {
  const auto checkpoint = Checkpoint::open(kGoldens / "sharded");
  std::vector<std::jthread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&checkpoint] {
      for (int i = 0; i < 200; ++i) {
        for (const auto& name : checkpoint.names()) {
          EXPECT_FALSE(checkpoint.tensor(name).empty());
          checkpoint.release(name);
        }
      }
    });
  }
}

TEST(Checkpoint, SaysWhatIsMissing) {
  const TempDirectory directory;
  EXPECT_THAT(failure<IoError>(directory.path() / "nowhere"),
              AllOf(HasSubstr("nowhere"), HasSubstr("expected a model directory")));
  EXPECT_THAT(failure<IoError>(directory.path()),
              AllOf(HasSubstr("needs one of model.safetensors, model.safetensors.index.json"),
                    HasSubstr("bert_model.ckpt.index")));
  fs::create_directory(directory.path() / "model.safetensors");
  EXPECT_THAT(failure<IoError>(directory.path()), HasSubstr("is a directory"));
  EXPECT_THROW((void)Checkpoint::open(""), IoError);
  EXPECT_THROW((void)Checkpoint::open("/dev/null"), IoError);
}

TEST(Checkpoint, SaysHowToConvertOtherFormats) {
  const std::pair<const char*, const char*> cases[] = {{"tf_model.h5", "from_tf"},
                                                       {"flax_model.msgpack", "from_flax"}};
  for (const auto& [file, advice] : cases) {
    const TempDirectory directory;
    directory.write(file, "something");
    EXPECT_THAT(failure<FormatError>(directory.path()), AllOf(HasSubstr(file), HasSubstr(advice)));
    directory.write("model.safetensors", one("a"));  // and takes the safetensors where there are
    EXPECT_THAT(Checkpoint::open(directory.path()).names(), ElementsAre("a"));
  }
}

struct BadIndex {
  const char* index;
  const char* message;
};

void PrintTo(const BadIndex& it, std::ostream* out) { *out << it.index; }

class MalformedIndex : public ::testing::TestWithParam<BadIndex> {};

TEST_P(MalformedIndex, IsRefusedWithASentence) {
  const TempDirectory directory;
  directory.write("one.safetensors", one("a"));
  directory.write("two.safetensors", one("b"));
  directory.write("again.safetensors", one("a"));
  directory.write("model.safetensors.index.json", GetParam().index);
  EXPECT_THAT(failure<Error>(directory.path()),
              AllOf(HasSubstr(directory.path().string()), HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    Index, MalformedIndex,
    ::testing::Values(
        BadIndex{"", "not valid JSON"}, BadIndex{"[]", "expected a JSON object, found an array"},
        BadIndex{"{}", "no \"weight_map\""}, BadIndex{R"({"weight_map":[]})", "no \"weight_map\""},
        BadIndex{R"({"weight_map":{"a":1}})", "weight_map of \"a\" must be a file name"},
        BadIndex{R"({"weight_map":{"a":"../one.safetensors"}})", "not a plain file name"},
        BadIndex{R"({"weight_map":{"a":"/etc/passwd"}})", "not a plain file name"},
        BadIndex{R"({"weight_map":{"a":".."}})", "not a plain file name"},
        BadIndex{R"({"weight_map":{"a":""}})", "not a plain file name"},
        BadIndex{R"({"weight_map":{"a":"one.safetensors\u0000"}})", "not a plain file name"},
        BadIndex{R"({"weight_map":{"a":"one.safetensors","b":"three.safetensors"}})",
                 "names the shard \"three.safetensors\", which is not there"},
        BadIndex{R"({"weight_map":{"a":"one.safetensors","c":"two.safetensors"}})",
                 "places tensor \"c\" in \"two.safetensors\", which does not have it"},
        BadIndex{R"({"weight_map":{"a":"two.safetensors","b":"one.safetensors"}})",
                 "which does not have it"},
        BadIndex{R"({"weight_map":{"a":"one.safetensors","b":"again.safetensors"}})",
                 "is in again.safetensors already"},
        BadIndex{
            R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors","x":"one.safetensors"}})",
            "places tensor \"x\""},
        BadIndex{R"({"weight_map":{"a":"model.safetensors.index.json"}})", "index.json"}));

TEST(Checkpoint, RefusesAShardWithATensorThatTheIndexDoesNotList) {
  const TempDirectory directory;
  directory.write("one.safetensors",
                  safetensors(R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},)"
                              R"("b":{"dtype":"I8","shape":[2],"data_offsets":[2,4]}})",
                              "1234"));
  directory.write("model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors"}})");
  EXPECT_THAT(failure<FormatError>(directory.path()), HasSubstr("does not list tensor \"b\""));
}

TEST(Checkpoint, RefusesADamagedShard) {
  const TempDirectory directory;
  directory.write("one.safetensors", one("a").substr(0, 30));
  directory.write("model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors"}})");
  EXPECT_THAT(failure<FormatError>(directory.path()), HasSubstr("one.safetensors: "));
}

TEST(Checkpoint, OpensARealModel) {
  const char* stated = std::getenv("CLOZE_TEST_MODEL");
  const char* cache = std::getenv("CLOZE_CACHE");
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const fs::path model = stated != nullptr  ? fs::path(stated)
                         : cache != nullptr ? fs::path(cache) / "all-MiniLM-L6-v2"
                         : xdg != nullptr   ? fs::path(xdg) / "cloze/all-MiniLM-L6-v2"
                         : home != nullptr  ? fs::path(home) / ".cache/cloze/all-MiniLM-L6-v2"
                                            : fs::path();
  if (!fs::exists(model / "model.safetensors")) {
    GTEST_SKIP() << "no model in " << model << " (see CLOZE_TEST_MODEL)";
  }
  const auto checkpoint = Checkpoint::open(model);
  EXPECT_EQ(checkpoint.tensor("embeddings.word_embeddings.weight").shape(), (Shape{30522, 384}));
  // Saving what was read gives the file that the reference wrote.
  TensorMap tensors;
  for (const auto& name : checkpoint.names()) tensors.emplace(name, checkpoint.tensor(name));
  const TempDirectory directory;
  save_checkpoint(directory.path(), tensors);
  EXPECT_TRUE(testing::read_file(model / "model.safetensors") ==
              testing::read_file(directory.path() / "model.safetensors"));
}

}  // namespace
}  // namespace cloze
