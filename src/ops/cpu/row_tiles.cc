#include <algorithm>

#include "core/parallel.h"
#include "ops/cpu/cpu_device.h"
#include "ops/cpu/row_work.h"

namespace cloze::ops {
namespace {

// A tile of a row-wise chain: enough rows for the matrix product to reach its rate, few enough that
// the feed-forward activations of a tile stay in a core's second-level cache.
constexpr std::int64_t kTileRows = 128;
// Fewer rows than this a thread are shared out by columns of the weights instead.
constexpr std::int64_t kMinRowsPerThread = 24;
constexpr std::int64_t kRowGranule = 8;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

std::int64_t max_tile_rows(std::int64_t rows) {
  const int threads = num_threads();
  if (threads == 1) return std::min(rows, kTileRows);
  if (rows < kMinRowsPerThread * threads) return rows;
  std::int64_t tiles = ceil_div(rows, kTileRows);
  if (tiles < std::int64_t{4} * threads) tiles = ceil_div(tiles, threads) * threads;
  return std::min(kTileRows, ceil_div(ceil_div(rows, tiles), kRowGranule) * kRowGranule);
}

RowTiles CpuDevice::row_tiles(std::int64_t rows) const {
  return {.rows = max_tile_rows(rows), .workers = num_threads()};
}

void CpuDevice::for_row_tiles(std::int64_t rows, RowTileBody body) const {
  if (rows == 0) return;
  const std::int64_t tile = max_tile_rows(rows);
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
