/// \file
/// A file of the Hub into the cache: resumed, verified, whole or not there.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "hub/cache.h"
#include "hub/client.h"

namespace cloze::hub {

/// Bytes that arrived, or (negative) that turned out to be needed again. Called by many threads.
using Advance = std::function<void(std::int64_t)>;

/// Sees to it that the cache has the blob of `file`: waits for whoever else downloads it, goes on
/// with what an interrupted download left behind (`ETAG.incomplete`), verifies size and checksum.
/// Returns the bytes that came over the network. Throws IoError, and FormatError when the content
/// is not what its checksum says, twice.
[[nodiscard]] std::int64_t fetch_blob(Client& client, const ModelCache& cache,
                                      const std::string& commit, const RemoteFile& file,
                                      const Advance& advance, const NoticeCallback& notice,
                                      const std::atomic<bool>* cancelled);

}  // namespace cloze::hub
