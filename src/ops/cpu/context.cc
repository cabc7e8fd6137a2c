#include "ops/context.h"

#include <algorithm>
#include <cstddef>

#include <omp.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/cpu/device.h"

namespace cloze::ops {
namespace {

// A tile of a row-wise chain: enough rows for the matrix product to reach its rate, few enough that
// the feed-forward activations of a tile stay in a core's second-level cache.
constexpr std::int64_t kTileRows = 128;
// Fewer rows than this a thread are shared out by columns of the weights instead.
constexpr std::int64_t kMinRowsPerThread = 24;
constexpr std::int64_t kRowGranule = 8;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::int64_t tile_rows_for(std::int64_t rows, int threads) {
  if (threads == 1) return std::min(rows, kTileRows);
  if (rows < kMinRowsPerThread * threads) return rows;
  std::int64_t tiles = ceil_div(rows, kTileRows);
  if (tiles < std::int64_t{4} * threads) tiles = ceil_div(tiles, threads) * threads;
  return std::min(kTileRows, ceil_div(ceil_div(rows, tiles), kRowGranule) * kRowGranule);
}

}  // namespace

OneDnnThreads::OneDnnThreads(int count) : saved_(omp_get_max_threads()) {
  omp_set_num_threads(count);
}

OneDnnThreads::~OneDnnThreads() { omp_set_num_threads(saved_); }

Context::Context() : device_(std::make_unique<Device>()) {}
Context::~Context() = default;

void Context::begin() {
  arena_.reset();
  device_->prepare();
  device_->profiling = false;
}

Matrix Context::matrix(DType dtype, std::int64_t rows, std::int64_t cols) {
  const auto size = static_cast<std::size_t>(rows * cols) * size_of(dtype);
  return {arena_.take_bytes(size), dtype, rows, cols, cols};
}

Context::Device::Device() : engine(dnnl::engine::kind::cpu, 0) { prepare(); }

void Context::Device::prepare() {
  const auto wanted = static_cast<std::size_t>(num_threads());
  while (workers_.size() < wanted) workers_.push_back(std::make_unique<Worker>(engine));
}

Worker& Context::Device::worker() { return *workers_.at(static_cast<std::size_t>(worker_index())); }

void parallel_tasks(Context& context, std::int64_t count, FunctionRef<void(std::int64_t)> body) {
  if (!in_parallel()) context.device().prepare();
  parallel_for(count, 1, body);
}

std::int64_t max_tile_rows(std::int64_t rows) { return tile_rows_for(rows, num_threads()); }

void for_row_tiles(std::int64_t rows, FunctionRef<void(std::int64_t, std::int64_t, int)> body) {
  if (rows == 0) return;
  const std::int64_t tile = tile_rows_for(rows, num_threads());
  const std::int64_t tiles = ceil_div(rows, tile);
  if (tiles == 1) {
    body(0, rows, 0);
    return;
  }
  parallel_for(tiles, 1, [&](std::int64_t index) {
    const std::int64_t begin = index * tile;
    body(begin, std::min(tile, rows - begin), worker_index());
  });
}

}  // namespace cloze::ops
