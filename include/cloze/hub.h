/// \file
/// The Hugging Face Hub: models by name, in the cache that Python's huggingface_hub keeps, so that
/// both find what the other fetched.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/progress.h"

#pragma GCC visibility push(default)
namespace cloze {

/// Takes a sentence for a person. May be called by several threads, one after another.
using NoticeCallback = std::function<void(const std::string& sentence)>;

/// Where the Hub and its cache are, and how patient to be. `from_environment` reads the variables
/// that huggingface_hub reads.
struct HubSettings {
  /// `$HF_ENDPOINT`, without a slash at its end; where it is not set, the public Hugging Face Hub.
  /// Empty, as by an empty variable: there is none, and nothing can be fetched.
  std::string endpoint;
  /// `$HF_HUB_CACHE`, else `$HF_HOME/hub`, else `~/.cache/huggingface/hub`.
  std::filesystem::path cache;
  /// `$HF_TOKEN`, else the content of `$HF_TOKEN_PATH` or `$HF_HOME/token`; empty: none. It goes to
  /// the endpoint's own host alone, and into no message.
  std::string token;
  std::string token_source;  ///< where the token comes from, for messages
  bool offline = false;      ///< `$HF_HUB_OFFLINE`: what is in the cache is all there is

  /// How long the Hub may take to let itself be reached, all tries together: without a network
  /// there is no use in waiting longer.
  std::chrono::milliseconds reach_timeout{3000};
  std::chrono::seconds metadata_timeout{10};  ///< `$HF_HUB_ETAG_TIMEOUT`: longest silence
  std::chrono::seconds download_timeout{10};  ///< `$HF_HUB_DOWNLOAD_TIMEOUT`: longest silence
  int connections = 8;                        ///< files that are downloaded at once
  int attempts = 5;                           ///< tries of a request before it fails
  std::chrono::milliseconds backoff{500};     ///< before the second try; doubles with every further
  std::chrono::seconds longest_wait{60};      ///< a server that asks for more patience is given up
  bool verify = false;          ///< compute the checksums of what is in the cache already, too
  ProgressCallback progress{};  ///< told of the bytes that come
  /// Told, as a sentence, what is waited for: that another process holds the lock of a file.
  NoticeCallback notice{};

  /// Throws ArgumentError for a variable that makes no sense, and where none says where the cache
  /// is.
  [[nodiscard]] static HubSettings from_environment();
};

/// A file of a model.
struct HubFile {
  std::string name;           ///< as the Hub lists it, such as "1_Pooling/config.json"
  std::int64_t bytes = 0;     ///< its size
  std::int64_t received = 0;  ///< bytes that came over the network for it this time
};

/// A model in the cache.
struct HubModel {
  std::string name;                 ///< "google-bert/bert-base-uncased"
  std::string revision;             ///< as asked for: a branch, a tag or a commit
  std::string commit;               ///< what the revision was when it was resolved: 40 hex digits
  std::filesystem::path directory;  ///< its snapshot: a model directory
  std::vector<HubFile> files;       ///< those that Cloze reads
};

/// Whether `name` could be a model on the Hub: "name" or "owner/name", with or without "@revision".
[[nodiscard]] bool is_hub_name(std::string_view name);

/// Brings the cache up to date with `name` (a revision after an `@`; without, the branch "main"):
/// resolves the revision, and downloads what Cloze reads of the model and the cache does not have:
/// the configuration, the tokenizer, the weights in their best format, sentence-transformers'
/// modules. Every file is verified by its checksum before it appears in the cache, and a download
/// that was interrupted goes on where it stopped. Processes that fetch the same model at once,
/// Python's included, share the work.
///
/// Offline it is the model as the cache has it. Throws IoError (no such model, no access, no
/// network, no space, not in the cache), FormatError (damaged or hostile answers), ModelError (not
/// a model that Cloze computes), ArgumentError (not a name).
[[nodiscard]] HubModel pull_model(std::string_view name, const HubSettings& settings);

/// The model to use: as the cache has it, without asking anybody, when `pull_model` has brought it
/// there before; else pulled. Where nothing can be fetched (offline, no network, a cache that
/// cannot be written), what Python left in the cache, if that is a whole model. Throws as
/// `pull_model` does.
[[nodiscard]] HubModel hub_model(std::string_view name, const HubSettings& settings);

/// The model cache: `$CLOZE_CACHE`, else `$XDG_CACHE_HOME/cloze`, else `$HOME/.cache/cloze`. Throws
/// IoError where none of them is set.
[[nodiscard]] std::filesystem::path model_cache();

/// Where a model is: `directory_or_name` if it is a directory, else the directory of that name in
/// the model cache (of "owner/name", also the last part alone), else the model of that name on the
/// Hub, fetched unless its cache has it; `progress` is told of a download, and `notice` as
/// HubSettings::notice is. Throws IoError saying
/// where was looked, and as `hub_model` does.
[[nodiscard]] std::filesystem::path find_model(const std::string& directory_or_name,
                                               const ProgressCallback& progress = {},
                                               const NoticeCallback& notice = {});

}  // namespace cloze

#pragma GCC visibility pop
