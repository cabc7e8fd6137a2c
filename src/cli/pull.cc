/// \file
/// cloze pull: a model from the Hub into the cache.
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cloze/hub.h"
#include "cloze/output.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Only what Cloze reads is fetched: the configuration, the tokenizer, the weights in one format
(safetensors before PyTorch's before TensorFlow's), sentence-transformers' modules. Every checksum is
verified, and what was interrupted goes on where it stopped. The cache is that of Python's
huggingface_hub: each finds what the other fetched. After a pull, --model NAME needs no network.

Variables: HF_ENDPOINT (another Hub or a mirror), HF_TOKEN (for private and gated models),
HF_HOME or HF_HUB_CACHE (where the cache is), HF_HUB_OFFLINE=1 (as --offline).

Examples:
  cloze pull google-bert/bert-base-uncased
  cloze pull sentence-transformers/all-MiniLM-L6-v2@v2.0 --json
  cloze pull me/private-bert --verify
  cloze fill-mask --model google-bert/bert-base-uncased "Paris is the [MASK] of France."
)";

/// A number of each file, added up.
std::int64_t total(const HubModel& model, std::int64_t HubFile::*number) {
  std::int64_t sum = 0;
  for (const auto& file : model.files) sum += file.*number;
  return sum;
}

std::string mebibytes(std::int64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string readable(const HubModel& model) {
  return fmt::format("{:<10} {}\n{:<10} {}\n{:<10} {}\n{:<10} {}, {}; {} fetched\n{:<10} {}\n",
                     "model", model.name, "revision", model.revision, "commit", model.commit,
                     "files", model.files.size(), mebibytes(total(model, &HubFile::bytes)),
                     mebibytes(total(model, &HubFile::received)), "directory",
                     model.directory.string());
}

std::string json(const HubModel& model) {
  using Json = nlohmann::ordered_json;
  Json files = Json::array();
  for (const auto& file : model.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"received", file.received}});
  }
  const Json found{{"model", model.name},
                   {"revision", model.revision},
                   {"commit", model.commit},
                   {"directory", model.directory.string()},
                   {"received", total(model, &HubFile::received)},
                   {"files", std::move(files)}};
  return json_text(found);
}

}  // namespace

void run_pull(Arguments arguments) {
  CLI::App app(
      "Fetches models from the Hugging Face Hub into the cache, or brings them up to date.",
      "cloze pull");
  std::vector<std::string> names;
  bool offline = false, verify = false, as_json = false;
  int connections = 8;
  app.add_option("NAME", names, "owner/name, or owner/name@revision: a branch, a tag or a commit")
      ->type_name("")
      ->required();
  auto* offline_flag = app.add_flag("--offline", offline,
                                    "ask nobody: only tell whether the cache has it, and where");
  app.add_flag("--verify", verify,
               "compute the checksums of files that are in the cache already, too")
      ->excludes(offline_flag);
  add_count(app, "--connections", connections, "files to download at once", 1, 64);
  app.add_flag("--json", as_json, "a JSON object a model");
  app.footer(examples);
  if (!parse(app, arguments)) return;

  auto settings = HubSettings::from_environment();
  settings.offline = settings.offline || offline;
  settings.verify = verify;
  settings.connections = connections;
  settings.progress = terminal_progress();
  settings.notice = print_notice;
  auto out = Output::standard_output();
  for (const auto& name : names) {
    const auto model = as_usage([&] { return pull_model(name, settings); });
    out.write(as_json ? json(model) : readable(model));
    out.flush();
  }
  out.finish();
}

}  // namespace cloze::cli
