// Runs the tasks of the tour, or those that are named.
//   tour MODELS DATA WORK [TASK...]
#include <algorithm>
#include <chrono>
#include <utility>

#include "tour.h"

namespace {

const std::vector<std::pair<std::string, void (*)(const Folders&)>> tasks{
    {"convert", convert},
    {"export", export_to_onnx},
    {"inspect", inspect},
};

void run(const Folders& folders, const std::vector<std::string>& names) {
  for (const auto& [name, task] : tasks) {
    if (!names.empty() && std::find(names.begin(), names.end(), name) == names.end()) continue;
    std::cout << "== " << name << std::endl;
    const auto begin = std::chrono::steady_clock::now();
    task(folders);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::cout << "   " << seconds.count() << " s" << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 4) throw std::runtime_error("usage: tour MODELS DATA WORK [TASK...]");
  run({argv[1], argv[2], argv[3]}, {argv + 4, argv + argc});
} catch (const std::exception& error) {
  std::cerr << "error: " << error.what() << '\n';
  return 1;
}
