#include "train/run_setup.h"

#include <cstdlib>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/threads.h"
#include "core/atomic_file.h"
#include "ops/ops.h"

namespace cloze::internal {
namespace {

namespace fs = std::filesystem;

/// A directory that is gone again at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "cloze-vocabulary-XXXXXX").string();
    if (error || mkdtemp(name.data()) == nullptr) {
      throw IoError(fmt::format("cannot make a temporary directory such as {}", name));
    }
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  TemporaryDirectory(TemporaryDirectory&&) = delete;
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

ThreadsDuringCall::ThreadsDuringCall(int threads) : threads_(threads), before_(num_threads()) {
  if (threads_ != 0) set_num_threads(threads_);
}

ThreadsDuringCall::~ThreadsDuringCall() {
  if (threads_ != 0) set_num_threads(before_);
}

RunDirectory open_run(const TrainingSettings& settings) {
  if (settings.output.empty()) {
    throw ArgumentError("--output is missing: the directory of the run");
  }
  return RunDirectory::open(settings.output, settings.resume      ? ExistingRun::resume
                                             : settings.overwrite ? ExistingRun::overwrite
                                                                  : ExistingRun::refuse);
}

std::optional<std::int64_t> checkpoint_to_resume(const RunDirectory& run,
                                                 const TrainingCallbacks& callbacks) {
  std::vector<std::string> complaints;
  const auto step = run.newest_whole(complaints);
  for (const auto& complaint : complaints) tell(callbacks, MessageKind::warning, complaint);
  tell(callbacks, MessageKind::info,
       step ? fmt::format("resuming from {}", run.checkpoint(*step).string())
            : "no checkpoint was saved yet: starting from the beginning");
  return step;
}

DType training_dtype(Precision precision) {
  if (precision == Precision::int8) {
    throw ArgumentError("--dtype int8 is for inference: train in f32, bf16 or auto");
  }
  return resolve(precision) == Precision::bf16 ? DType::bf16 : DType::f32;
}

Tokenizer tokenizer_of_vocabulary(const fs::path& vocabulary, bool cased) {
  std::error_code error;
  if (fs::is_directory(vocabulary, error)) return Tokenizer::from_pretrained(vocabulary);
  const TemporaryDirectory directory;  // a tokenizer is read from a directory
  fs::copy_file(vocabulary, directory.path() / "vocab.txt", error);
  if (error) {
    throw IoError(fmt::format("cannot read {}: {}", vocabulary.string(), error.message()));
  }
  AtomicFile file(directory.path() / "tokenizer_config.json");
  file.write(fmt::format(R"({{"do_lower_case": {}, "tokenizer_class": "BertTokenizer"}})", !cased));
  file.commit();
  return Tokenizer::from_pretrained(directory.path());
}

void tell(const TrainingCallbacks& callbacks, MessageKind kind, const std::string& text) {
  if (callbacks.message) callbacks.message(kind, text);
}

}  // namespace cloze::internal
