/// \file
/// Where the time of a computation goes: what each kind of operation cost, summed over the threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace cloze {

/// One kind of operation, with the shape where it has one.
struct OperationCost {
  std::string name;        ///< such as "linear 768 -> 3072, gelu"
  std::int64_t calls = 0;  ///< pieces of work, each on one thread
  double seconds = 0;      ///< of all threads together
  double operations = 0;   ///< floating-point (or integer) multiplies and adds of matrix products
  double bytes = 0;        ///< of operands and results, each counted once a piece
};

/// Costs by kind of operation.
using Profile = std::vector<OperationCost>;

/// Adds `cost` to the entry of its name, or as a new one.
void accumulate(Profile& profile, const OperationCost& cost);

}  // namespace cloze

#pragma GCC visibility pop
