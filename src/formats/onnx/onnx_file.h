/// \file
/// An ONNX graph to a file. The weights are never all in memory: each is read, written and dropped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "formats/onnx/onnx_graph.h"

namespace cloze {

struct OnnxFileOptions {
  /// Weights of 1 KiB or more go to a second file beside the first, `PATH.data`, as ONNX's external
  /// data, each at a multiple of 4096 bytes so that it can be mapped. The first such page tells whose
  /// file it is.
  bool external_data = false;
  /// A file that would be larger has its weights outside in any case: protobuf reads no more.
  std::int64_t max_file_bytes = 2'147'483'647;
  /// Called after each weight that was written.
  std::function<void()> on_weight{};
};

struct OnnxFile {
  std::int64_t bytes = 0;           ///< of both files
  std::filesystem::path data_file;  ///< empty where the weights are in the file itself
};

/// Writes `path` (and `path`.data), whole or not at all; where both are written, no kill leaves a
/// model beside another one's data. A data file that an earlier export left is removed where there is
/// none any more. Throws IoError, whatever reading a weight throws, and ArgumentError rather than
/// replace what no export wrote: a data file, or a `path` that is there and neither is named .onnx
/// nor was written by Cloze.
OnnxFile write_onnx(const OnnxGraph& graph, const std::filesystem::path& path,
                    const OnnxFileOptions& options = {});

}  // namespace cloze
