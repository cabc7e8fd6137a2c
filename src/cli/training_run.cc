#include "cli/training_run.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/output.h"
#include "ops/ops.h"

namespace cloze::cli {
namespace {

// A signal's handler can reach nothing but a global.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t signalled = 0;

}  // namespace

void say(const std::string& text) {
  (void)std::fputs((text + '\n').c_str(), stderr);
  (void)std::fflush(stderr);
}

StopOnSignal::StopOnSignal() {
  signalled = 0;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = [](int) { signalled = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(kSignals.at(i), &action, &before_.at(i));
  }
}

StopOnSignal::~StopOnSignal() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals.at(i), &before_.at(i), nullptr);
  }
}

bool StopOnSignal::requested() { return signalled != 0; }

DType training_dtype(const std::string& dtype) {
  const bool bf16 = dtype == "bf16" || (dtype == "auto" && ops::accelerates(DType::bf16));
  return bf16 ? DType::bf16 : DType::f32;
}

ExistingRun existing_run(bool resume, bool overwrite) {
  return resume ? ExistingRun::resume : overwrite ? ExistingRun::overwrite : ExistingRun::refuse;
}

std::optional<std::int64_t> checkpoint_to_resume(const RunDirectory& run) {
  std::vector<std::string> complaints;
  const auto step = run.newest_whole(complaints);
  for (const auto& complaint : complaints) say("warning: " + complaint);
  if (step) {
    say(fmt::format("resuming from {}", run.checkpoint(*step).string()));
  } else {
    say("no checkpoint was saved yet: starting from the beginning");
  }
  return step;
}

Tokenizer tokenizer_of_vocabulary(const std::filesystem::path& vocabulary, bool cased) {
  namespace fs = std::filesystem;
  if (fs::is_directory(vocabulary)) return Tokenizer::from_pretrained(vocabulary);
  // A tokenizer is read from a directory; this one is gone again at the end.
  std::string name = (fs::temp_directory_path() / "cloze-vocabulary-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw IoError(fmt::format("cannot make a directory in {}", fs::temp_directory_path().string()));
  }
  struct Removed {
    fs::path path;
    explicit Removed(fs::path made) : path(std::move(made)) {}
    Removed(const Removed&) = delete;
    Removed& operator=(const Removed&) = delete;
    Removed(Removed&&) = delete;
    Removed& operator=(Removed&&) = delete;
    ~Removed() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
  };
  const Removed directory(name);
  std::error_code error;
  fs::copy_file(vocabulary, directory.path / "vocab.txt", error);
  if (error) {
    throw IoError(fmt::format("cannot read {}: {}", vocabulary.string(), error.message()));
  }
  auto file = Output::file((directory.path / "tokenizer_config.json").string());
  file.write(fmt::format(R"({{"do_lower_case": {}, "tokenizer_class": "BertTokenizer"}})", !cased));
  file.finish();
  return Tokenizer::from_pretrained(directory.path);
}

std::string clock_text(double seconds) {
  const auto whole = std::llround(seconds);
  if (whole >= 3600) {
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace cloze::cli
