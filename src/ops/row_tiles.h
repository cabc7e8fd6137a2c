/// \file
/// How a chain of row-wise operations is divided over what the device has to divide it over.
#pragma once

#include <cstdint>

#include "core/function_ref.h"
#include "ops/context.h"

namespace cloze::ops {

/// What `for_row_tiles` does with some rows.
struct RowTiles {
  std::int64_t rows = 0;     ///< the most that it hands out at once
  std::int64_t workers = 1;  ///< how many tiles are worked on at once, at most
};
[[nodiscard]] RowTiles row_tiles(Context& context, std::int64_t rows);

/// Called with the begin and count of a tile's rows, and a number below RowTiles::workers that
/// tells apart the calls that run at once.
using RowTileBody = FunctionRef<void(std::int64_t, std::int64_t, int)>;

/// Divides [0, rows) into tiles and calls `body` for each, spread over the device's threads: a chain
/// of row-wise operations then stays in a core's cache. With too few rows to share out, or on a
/// device that shares work out itself, one call gets them all.
void for_row_tiles(Context& context, std::int64_t rows, RowTileBody body);

}  // namespace cloze::ops
