/// \file
/// How a chain of row-wise operations is divided over the threads.
#pragma once

#include <cstdint>

#include "core/function_ref.h"

namespace cloze::ops {

/// The most rows that `for_row_tiles` hands out at once.
[[nodiscard]] std::int64_t max_tile_rows(std::int64_t rows);

/// Divides [0, rows) into tiles and calls `body(begin, count, worker)` for each, spread over the
/// threads: a chain of row-wise operations then stays in a core's cache. `worker` < num_threads()
/// tells apart the bodies that run at once. With too few rows to share out, one call gets them all
/// and the operations inside divide their work themselves.
void for_row_tiles(std::int64_t rows, FunctionRef<void(std::int64_t, std::int64_t, int)> body);

}  // namespace cloze::ops
