// What oneDNN alone does with a model's products: the yardstick, kept apart from the code it
// measures.
#include <algorithm>
#include <vector>

#include "core/clock.h"
#include "core/parallel.h"
#include "core/threads/spare_threads.h"
#include "ops/cpu/cpu_device.h"
#include "ops/cpu/onednn.h"

namespace cloze::ops {

double CpuDevice::gemm_rate(std::span<const GemmShape> shapes, DType compute, int repeats) const {
  const OneDnnThreads threads(1 + spare_threads(num_threads() - 1));
  std::vector<LoneProduct> products;
  double operations = 0;
  for (const auto& shape : shapes) {
    products.emplace_back(shape.m, shape.n, shape.k, compute);
    operations += 2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) *
                  static_cast<double>(shape.k) * static_cast<double>(shape.count);
  }
  std::vector<double> seconds;
  for (int pass = 0; pass <= repeats; ++pass) {  // the first pass warms up
    const auto start = Clock::now();
    for (std::size_t i = 0; i < products.size(); ++i) {
      for (std::int64_t call = 0; call < shapes[i].count; ++call) products[i].run();
    }
    if (pass > 0) seconds.push_back(seconds_since(start));
  }
  if (seconds.empty()) return 0;
  std::nth_element(seconds.begin(),
                   seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2),
                   seconds.end());
  return operations / seconds[seconds.size() / 2] / 1e9;
}

}  // namespace cloze::ops
