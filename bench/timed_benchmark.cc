#include "bench/timed_benchmark.h"

#include <cstdlib>
#include <fstream>
#include <string>

namespace cloze {

std::int64_t peak_resident_memory() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) return 1024 * std::strtoll(line.c_str() + 6, nullptr, 10);
  }
  return 0;
}

}  // namespace cloze
