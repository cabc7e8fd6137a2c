// What TensorFlow and PyTorch wrote (tests/goldens/make_tensorflow_goldens.py,
// make_pytorch_goldens.py): every tensor has the bits that went in, and no damage to a file passes.
#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/error.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"

namespace cloze {
namespace {

using testing::golden_directory;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::read_file;
using testing::TempDirectory;

namespace fs = std::filesystem;

const fs::path kTensorFlow = golden_directory("tensorflow");
const fs::path kPyTorch = golden_directory("pytorch");

bool same_tensor(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

void expect_same(const Checkpoint& got, const Checkpoint& expected) {
  EXPECT_EQ(got.names(), expected.names());
  for (const auto& name : expected.names()) {
    ASSERT_TRUE(got.contains(name)) << name;
    EXPECT_TRUE(same_tensor(got.tensor(name), expected.tensor(name))) << name;
    EXPECT_EQ(got.info(name).shape, expected.info(name).shape) << name;
    got.release(name);
  }
}

TEST(TensorFlow, AReleaseHasTheBitsThatWentIn) {
  const auto expected = Checkpoint::open(golden_directory("pretraining_tanh"));
  const auto release = Checkpoint::open(kTensorFlow / "release");
  expect_same(release, expected);
  EXPECT_EQ(release.info("bert.embeddings.LayerNorm.weight").file,
            "bert_model.ckpt.data-00000-of-00001");
  expect_same(Checkpoint::open(kTensorFlow / "release/bert_model.ckpt.index"), expected);
}

TEST(TensorFlow, AFineTunedOneIsTheLatestWithoutItsOptimizer) {
  expect_same(Checkpoint::open(kTensorFlow / "classifier"),
              Checkpoint::open(golden_directory("sequence_regression")));
}

TEST(TensorFlow, ASquadModelHasItsHead) {
  const auto squad = Checkpoint::open(kTensorFlow / "squad");
  const auto expected = Checkpoint::open(golden_directory("question_legacy_names"));
  for (const auto& name : expected.names()) {
    auto modern = name;
    if (const auto at = name.find("LayerNorm."); at != std::string::npos) {
      modern =
          name.substr(0, at) + (name.ends_with("gamma") ? "LayerNorm.weight" : "LayerNorm.bias");
    }
    EXPECT_TRUE(same_tensor(squad.tensor(modern), expected.tensor(name))) << name;
  }
  EXPECT_EQ(squad.names().size(), expected.names().size());
}

TEST(TensorFlow, SeveralDataFilesAndAllTypes) {
  const auto shards = Checkpoint::open(kTensorFlow / "shards");
  const std::pair<const char*, DType> types[] = {
      {"float16", DType::f16},  {"float32", DType::f32}, {"float64", DType::f64},
      {"int8", DType::i8},      {"uint8", DType::u8},    {"int16", DType::i16},
      {"int32", DType::i32},    {"int64", DType::i64},   {"bool", DType::boolean},
      {"bfloat16", DType::bf16}};
  for (const auto& [name, dtype] : types) {
    const auto tensor = shards.tensor(std::string("types/") + name);
    EXPECT_EQ(tensor.dtype(), dtype) << name;
    EXPECT_EQ(tensor.shape(), Shape{4}) << name;
  }
  const auto wide = shards.tensor("types/bfloat16").to(DType::f32);
  EXPECT_THAT(wide.values<float>(), ::testing::ElementsAre(0.0F, 1.0F, 2.0F, 3.0F));
  EXPECT_EQ(shards.tensor("types/scalar").shape(), Shape{});
  EXPECT_EQ(shards.tensor("types/empty").shape(), (Shape{0, 3}));
  const auto expected = Checkpoint::open(golden_directory("pretraining_tanh"));
  std::vector<std::string> files;
  for (const auto& name : expected.names()) {
    EXPECT_TRUE(same_tensor(shards.tensor(name), expected.tensor(name))) << name;
    files.push_back(shards.info(name).file);
  }
  EXPECT_THAT(files, ::testing::Contains("model.ckpt.data-00000-of-00002"));
  EXPECT_THAT(files, ::testing::Contains("model.ckpt.data-00001-of-00002"));
}

TEST(PyTorch, EveryFormHasTheBitsThatWentIn) {
  const auto expected = Checkpoint::open(kPyTorch / "expected.safetensors");
  for (const auto* name :
       {"state_zip_2.bin", "state_zip_3.bin", "state_zip_4.bin", "state_zip_5.bin",
        "state_legacy_2.bin", "state_legacy_3.bin", "state_legacy_4.bin", "state_legacy_5.bin",
        "state_nested.bin", "no_crc32.bin", "sharded/pytorch_model.bin.index.json", "sharded"}) {
    SCOPED_TRACE(name);
    expect_same(Checkpoint::open(kPyTorch / name), expected);
  }
}

TEST(PyTorch, RowMajorTensorsAreViewsOfTheFile) {
  const auto state = Checkpoint::open(kPyTorch / "state_zip_2.bin");
  const auto whole = state.tensor("shared"), again = state.tensor("shared"),
             rows = state.tensor("rows");
  EXPECT_EQ(whole.bytes().data(), again.bytes().data());
  EXPECT_EQ(rows.bytes().data(), whole.bytes().data() + 2 * 4 * sizeof(float));  // one storage
}

TEST(PyTorch, RefusesWhatIsNotTensors) {
  try {
    (void)Checkpoint::open(kPyTorch / "module.bin");
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("nothing in the file was run"));
    EXPECT_THAT(error.what(), HasSubstr("module.bin"));
  }
}

TEST(Formats, ADirectoryPrefersSafetensorsThenPyTorchThenTensorFlow) {
  const TempDirectory directory;
  for (const auto& entry : fs::directory_iterator(kTensorFlow / "release")) {
    fs::copy(entry.path(), directory.path());
  }
  EXPECT_TRUE(Checkpoint::open(directory.path()).contains("bert.pooler.dense.weight"));
  fs::copy(kPyTorch / "state_zip_2.bin", directory.path() / "pytorch_model.bin");
  EXPECT_TRUE(Checkpoint::open(directory.path()).contains("permuted"));
  save_safetensors(directory.path() / "model.safetensors", {{"x", Tensor::zeros(DType::f32, {1})}});
  EXPECT_TRUE(Checkpoint::open(directory.path()).contains("x"));
}

/// Opens the file and reads every tensor: what it says of them, or nothing where it was refused.
/// Another exception than Cloze's fails the test.
std::vector<std::pair<std::string, std::string>> contents(const fs::path& path) {
  std::vector<std::pair<std::string, std::string>> result;
  try {
    const auto checkpoint = Checkpoint::open(path);
    for (const auto& name : checkpoint.names()) {
      const auto tensor = checkpoint.tensor(name);
      const auto bytes = tensor.bytes();
      result.emplace_back(
          name, to_string(tensor.shape()) + std::string(name_of(tensor.dtype())) +
                    std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    }
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(path.parent_path().string()));
    EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
    return {};
  }
  return result;
}

void put_byte(const fs::path& file, std::size_t at, char byte) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekp(static_cast<std::streamoff>(at));
  stream.put(byte);
}

/// Every byte of `file` (one of those that `path` is opened through) changed, one at a time: what
/// is not refused must be the same.
void flip_every_byte(const fs::path& path, const fs::path& file) {
  const auto good = contents(path);
  ASSERT_FALSE(good.empty());
  const auto original = read_file(file);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < original.size(); ++i) {
    const auto change = static_cast<char>(1 + i * 37 % 255);
    put_byte(file, i, static_cast<char>(original[i] ^ change));
    const auto now = contents(path);
    refused += now.empty() ? 1 : 0;
    ASSERT_TRUE(now.empty() || now == good) << "byte " << i << " ^ " << int{change};
    put_byte(file, i, original[i]);
  }
  EXPECT_GT(refused, original.size() / 5);  // some are of no tensor: slots, dates, padding
}

void cut_everywhere(const fs::path& path, const fs::path& file, std::size_t step) {
  const auto good = contents(path);
  const auto original = read_file(file);
  for (std::size_t size = original.size() - 1; size >= step; size -= step) {
    fs::resize_file(file, size);
    const auto now = contents(path);
    ASSERT_TRUE(now.empty()) << "cut to " << size << " of " << original.size() << " bytes";
  }
  std::ofstream(file, std::ios::binary) << original;
  EXPECT_EQ(contents(path), good);
}

/// A checkpoint of a few dozen bytes a tensor, in a directory that a test may damage.
fs::path small_bundle(const TempDirectory& directory) {
  for (const auto* name : {"model.ckpt.index", "model.ckpt.data-00000-of-00001"}) {
    fs::copy(kTensorFlow / "small" / name, directory.path());
  }
  return directory.path() / "model.ckpt.index";
}

/// One tensor as a string: shape and dtype before its bytes, as `contents` has them.
std::string bytes_of(const std::string& described) {
  return described.substr(described.find(']') + 4);  // of a type of three letters: f32, i32
}

TEST(Damage, OfASafetensorsFileChangesOneTensorOrIsRefused) {
  // The format has no checksum. A bit of the numbers changes its own tensor and no other; a bit of
  // the header is refused, or means nothing, or names one tensor or its type otherwise, whose
  // numbers stay: a model then misses the tensor, or refuses the type.
  const TempDirectory directory;
  const auto file = directory.path() / "model.safetensors";
  std::vector<float> numbers(6);
  std::iota(numbers.begin(), numbers.end(), 0.5F);
  save_safetensors(file,
                   {{"left", Tensor::from<float>({2, 3}, numbers)},
                    {"right", Tensor::from<float>({3}, std::span(numbers).first(3))}},
                   {{"format", "pt"}});
  const auto good = contents(directory.path());
  ASSERT_EQ(good.size(), 2U);
  const auto original = read_file(file);
  const auto header = original.size() - 9 * sizeof(float);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < original.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      SCOPED_TRACE("byte " + std::to_string(i) + " bit " + std::to_string(bit));
      put_byte(file, i, static_cast<char>(original[i] ^ (1U << bit)));
      const auto now = contents(directory.path());
      put_byte(file, i, original[i]);
      if (now.empty()) {
        ASSERT_LT(i, header);
        ++refused;
        continue;
      }
      ASSERT_EQ(now.size(), good.size());
      const auto meant = [&](const auto& tensor) {
        return std::find(good.begin(), good.end(), tensor) != good.end();
      };
      const auto changed =
          std::count_if(now.begin(), now.end(), [&](const auto& t) { return !meant(t); });
      if (i < header) {
        ASSERT_LE(changed, 1);
        std::vector<std::string> before, after;
        for (const auto& [name, tensor] : good) before.push_back(bytes_of(tensor));
        for (const auto& [name, tensor] : now) after.push_back(bytes_of(tensor));
        ASSERT_THAT(after, ::testing::UnorderedElementsAreArray(before));
        continue;
      }
      const std::size_t owner = i < header + 6 * sizeof(float) ? 0 : 1;
      ASSERT_EQ(changed, 1);
      ASSERT_EQ(now[1 - owner], good[1 - owner]);
      auto expected = good[owner];
      const auto at = i - header - (owner == 0 ? 0 : 6 * sizeof(float));
      auto& byte = expected.second[expected.second.size() - (owner == 0 ? 24 : 12) + at];
      byte = static_cast<char>(byte ^ (1U << bit));
      ASSERT_EQ(now[owner], expected);
    }
  }
  EXPECT_GT(refused, header * 4);  // most bits of the header
  cut_everywhere(directory.path(), file, 1);
}

TEST(Damage, OfATensorFlowIndexNeverPasses) {
  const TempDirectory directory;
  const auto index = small_bundle(directory);
  flip_every_byte(index, index);
  cut_everywhere(index, index, 1);
}

TEST(Damage, OfTensorFlowDataNeverPasses) {
  const TempDirectory directory;
  const auto index = small_bundle(directory);
  const auto data = directory.path() / "model.ckpt.data-00000-of-00001";
  flip_every_byte(index, data);
  cut_everywhere(index, data, 1);
}

TEST(Damage, OfAPyTorchArchiveNeverPasses) {
  const TempDirectory directory;
  const auto file = directory.path() / "pytorch_model.bin";
  fs::copy(kPyTorch / "state_zip_4.bin", file);
  flip_every_byte(directory.path(), file);
  cut_everywhere(directory.path(), file, 7);
}

TEST(Damage, OfAnOldPyTorchFileIsRefusedOrReadAsItStands) {
  // This form has no checksum: a changed number is another number. Nothing crashes.
  const TempDirectory directory;
  const auto file = directory.path() / "pytorch_model.bin";
  fs::copy(kPyTorch / "state_legacy_2.bin", file);
  const auto original = read_file(file);
  for (std::size_t i = 0; i < original.size(); ++i) {
    put_byte(file, i, static_cast<char>(original[i] ^ 0x41));
    (void)contents(directory.path());
    put_byte(file, i, original[i]);
  }
  cut_everywhere(directory.path(), file, 3);
}

}  // namespace
}  // namespace cloze
