// pull_model and hub_model: the Hub's client as a whole.
#include "cloze/hub.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <fstream>
#include <iterator>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "cloze/config.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/progress_counter.h"
#include "hub/cache.h"
#include "hub/client.h"
#include "hub/download.h"
#include "hub/files.h"
#include "hub/names.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using hub::ModelCache;
using hub::Reference;

/// Runs `work` on every item, `threads` at once, each with a client of its own. The first failure
/// ends the others and comes out.
template <class Item, class Work>
void for_each_at_once(std::vector<Item>& items, int threads, const HubSettings& settings,
                      const Reference& reference, const Work& work) {
  std::atomic<bool> cancelled = false;
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto run = [&] {
    try {
      hub::Client client(settings, reference, &cancelled, hub::Client::Reached::yes);
      for (std::size_t i = next++; i < items.size(); i = next++) {
        work(client, items[i], &cancelled);
      }
    } catch (const http::Cancelled&) {  // NOLINT(bugprone-empty-catch): another one failed
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      cancelled = true;
    }
  };
  {
    std::vector<std::jthread> team;
    const auto size = std::min(items.size(), static_cast<std::size_t>(std::max(threads, 1)));
    try {
      for (std::size_t i = 1; i < size; ++i) team.emplace_back(run);
    } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch): fewer do as well, later
    }
    run();
  }
  if (failure) std::rethrow_exception(failure);
}

/// One pull under way.
class Pull {
 public:
  Pull(const HubSettings& settings, Reference reference)
      : settings_(settings),
        reference_(std::move(reference)),
        cache_(settings.cache, reference_.name) {}

  HubModel run() {
    hub::Client client(settings_, reference_, nullptr, hub::Client::Reached::no);
    const auto revision = client.resolve();
    commit_ = revision.commit;
    const auto origin = fmt::format("{} on {}", reference_.name, settings_.endpoint);
    const auto read = [&](const std::string& file) {
      fetch({file});
      return files::read_text(cache_.snapshot(commit_) / file);
    };
    const std::string config = "config.json";
    if (std::find(revision.files.begin(), revision.files.end(), config) != revision.files.end()) {
      // What is no BERT is told before its weights are fetched.
      static_cast<void>(
          BertConfig::from_json(read(config), fmt::format("{} of {}", config, origin)));
    }
    const auto files = hub::choose_files(revision.files, read, origin);
    fetch(files);
    note_whole(files);
    cache_.set_commit(reference_.revision, commit_);

    HubModel model{.name = reference_.name,
                   .revision = reference_.revision,
                   .commit = commit_,
                   .directory = cache_.snapshot(commit_),
                   .files = {}};
    for (const auto& file : files) {
      const auto received = received_.find(file);
      model.files.push_back({.name = file,
                             .bytes = files::size(model.directory / file).value_or(0),
                             .received = received == received_.end() ? 0 : received->second});
    }
    return model;
  }

 private:
  /// Notes that the snapshot is whole. Who may only read the cache needs no note: the files are there.
  void note_whole(const std::vector<std::string>& files) const {
    if (cache_.whole(commit_) == files) return;
    try {
      cache_.set_whole(commit_, files);
    } catch (const IoError&) {
      if (!received_.empty()) throw;
    }
  }

  /// Brings files into the snapshot, unless they are there.
  void fetch(const std::vector<std::string>& names) {
    std::vector<hub::RemoteFile> files;
    for (const auto& name : names) {
      const bool there =
          cache_.has(commit_, name) && !(settings_.verify && cache_.drop_damaged(commit_, name));
      if (!there) files.push_back({.name = name, .etag = {}, .size = {}});
    }
    if (files.empty()) return;
    cache_.make_directories();
    const auto at_once = [&](const auto& work) {
      for_each_at_once(files, settings_.connections, settings_, reference_, work);
    };
    at_once([&](hub::Client& client, hub::RemoteFile& file, const std::atomic<bool>*) {
      file = client.describe(commit_, file.name);
    });

    // Sums of what a server says: of any sizes without an overflow.
    constexpr std::int64_t kMost = std::int64_t{1} << 61;
    std::int64_t bytes = 0, missing = 0;
    for (const auto& file : files) {
      const auto size = std::min(file.size.value_or(0), kMost);
      bytes = std::min(bytes + size, kMost);
      if (files::exists(cache_.blob(file.etag))) continue;
      const auto there = files::size(cache_.incomplete(file.etag)).value_or(0);
      missing = std::min(missing + size - there, kMost);
    }
    cache_.require_space(missing);
    // The largest first: it is what the end waits for.
    std::sort(files.begin(), files.end(),
              [](const auto& a, const auto& b) { return a.size > b.size; });
    ProgressCounter progress(settings_.progress, reference_.name, bytes, "bytes");
    std::mutex mutex;
    NoticeCallback notice;
    if (settings_.notice) {
      notice = [&](const std::string& sentence) {
        const std::lock_guard lock(mutex);
        settings_.notice(sentence);
      };
    }
    at_once([&](hub::Client& client, hub::RemoteFile& file, const std::atomic<bool>* cancelled) {
      const auto received = hub::fetch_blob(
          client, cache_, commit_, file, [&](std::int64_t count) { progress.advance(count); },
          notice, cancelled);
      cache_.link(commit_, file.name, file.etag);
      const std::lock_guard lock(mutex);
      received_[file.name] += received;
    });
  }

  const HubSettings& settings_;
  Reference reference_;
  ModelCache cache_;
  std::string commit_;
  std::map<std::string, std::int64_t> received_;
};

/// What the snapshot has of what Cloze reads, if that is a whole model: what Cloze noted when it
/// fetched it, else (Python fetched it) the choice among the files that are there.
std::optional<std::vector<std::string>> whole_files(const ModelCache& cache,
                                                    const std::string& commit) {
  if (auto files = cache.whole(commit)) return files;
  const auto directory = cache.snapshot(commit);
  std::vector<std::string> listing;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (fs::is_regular_file(entry->path(), ignored)) {
      listing.push_back(entry->path().lexically_relative(directory).generic_string());
    }
  }
  std::sort(listing.begin(), listing.end());
  const auto has = [&](const char* name) {
    return std::find(listing.begin(), listing.end(), name) != listing.end();
  };
  if (!has("config.json") && !has("modules.json") && !has("bert_config.json")) return std::nullopt;
  try {
    return hub::choose_files(
        listing, [&](const std::string& file) { return files::read_text(directory / file); },
        directory.string());
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// What counts as a whole model in the cache: what Cloze noted, or also what looks like one.
enum class Trust : std::uint8_t { noted, looks_whole };

std::optional<HubModel> from_cache(const Reference& reference, const HubSettings& settings,
                                   Trust trust) {
  const ModelCache cache(settings.cache, reference.name);
  const auto commit = cache.commit_of(reference.revision);
  if (!commit) return std::nullopt;
  const auto files = trust == Trust::noted ? cache.whole(*commit) : whole_files(cache, *commit);
  if (!files) return std::nullopt;
  HubModel model{.name = reference.name,
                 .revision = reference.revision,
                 .commit = *commit,
                 .directory = cache.snapshot(*commit),
                 .files = {}};
  for (const auto& file : *files) {
    model.files.push_back(
        {.name = file, .bytes = files::size(model.directory / file).value_or(0), .received = 0});
  }
  return model;
}

}  // namespace

HubModel pull_model(std::string_view name, const HubSettings& settings) {
  auto reference = hub::parse_reference(name);
  if (settings.offline) {
    if (auto model = from_cache(reference, settings, Trust::looks_whole)) {
      return *std::move(model);
    }
    throw IoError(
        fmt::format("{} is not, or not wholly, in the Hub's cache {}, and offline (as chosen, or "
                    "by HF_HUB_OFFLINE) nothing can be fetched: pull it once while online",
                    name, settings.cache.string()));
  }
  if (settings.endpoint.empty()) {
    throw IoError(fmt::format(
        "cannot fetch {}: HF_ENDPOINT is set to nothing; unset it for the public Hub, or "
        "set it to the address of another (https://...)",
        name));
  }
  return Pull(settings, std::move(reference)).run();
}

HubModel hub_model(std::string_view name, const HubSettings& settings) {
  const auto reference = hub::parse_reference(name);
  if (auto model = from_cache(reference, settings, Trust::noted)) return *std::move(model);
  const auto left_by_python = from_cache(reference, settings, Trust::looks_whole);
  if (left_by_python && (settings.offline || settings.endpoint.empty())) return *left_by_python;
  try {
    return pull_model(name, settings);
  } catch (const IoError&) {
    if (!left_by_python) throw;
    return *left_by_python;
  }
}

}  // namespace cloze
