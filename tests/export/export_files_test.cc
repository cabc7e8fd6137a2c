// What an export may replace, and what it leaves as it was.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "cloze/export.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"

namespace cloze {
namespace {

using testing::golden_directory;
using ::testing::HasSubstr;
using testing::read_file;
using testing::TempDirectory;

namespace fs = std::filesystem;

void expect_files_refused(const fs::path& model, const fs::path& path, const ExportOptions& options,
                          const std::vector<std::string>& parts) {
  try {
    (void)export_onnx(model, path, options);
    ADD_FAILURE() << "was exported";
  } catch (const ArgumentError& error) {
    for (const auto& part : parts) EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

TEST(ExportFiles, LeavesBothFilesAsTheyWereWhenCancelled) {
  const TempDirectory folder;
  const auto path = folder.path() / "model.onnx";
  (void)export_onnx(golden_directory("bare_odd"), path, {.external_data = true});
  const auto data = read_file(folder.path() / "model.onnx.data");
  folder.write("model.onnx", "model");
  // The last weights are small ones, which go to the first file after the second is complete.
  const auto cancel = [](const Progress& progress) { return progress.done < progress.total; };
  for (const bool external : {false, true}) {
    EXPECT_THROW(
        (void)export_onnx(golden_directory("bare_odd"), path, {.external_data = external}, cancel),
        Cancelled);
    EXPECT_EQ(read_file(path), "model");
    EXPECT_EQ(read_file(folder.path() / "model.onnx.data"), data);
  }
}

TEST(ExportFiles, ReplacesNothingButExports) {
  const TempDirectory folder, model;
  for (const auto& entry : fs::directory_iterator(golden_directory("bare_odd"))) {
    fs::copy(entry.path(), model.path());
  }
  for (const auto* name : {"model.safetensors", "config.json"}) {
    expect_files_refused(model.path(), model.path() / name, {}, {name, "is read"});
  }
  expect_files_refused(model.path(), folder.write("thesis", "text"), {},
                       {"thesis", "no ONNX file"});
  folder.write("m.onnx.data", "measured");
  expect_files_refused(model.path(), folder.path() / "m.onnx", {.external_data = true},
                       {"m.onnx.data"});
  (void)export_onnx(model.path(), folder.path() / "m.onnx");
  EXPECT_EQ(read_file(folder.path() / "m.onnx.data"), "measured");
  // Data of an export is replaced, and removed when it is not needed any more.
  for (const bool external : {true, true, false}) {
    (void)export_onnx(model.path(), folder.path() / "export", {.external_data = external});
    EXPECT_EQ(fs::exists(folder.path() / "export.data"), external);
  }
}

}  // namespace
}  // namespace cloze
