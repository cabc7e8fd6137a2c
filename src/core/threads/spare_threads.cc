#include "core/threads/spare_threads.h"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace cloze {

int spare_threads(int most) {
  std::mutex guard;
  std::condition_variable tried;
  bool done = false;
  std::vector<std::thread> threads;
  try {
    for (int i = 0; i < most; ++i) {
      threads.emplace_back([&] {  // they live side by side
        std::unique_lock lock(guard);
        tried.wait(lock, [&done] { return done; });
      });
    }
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): so many, then
  }
  {
    const std::lock_guard lock(guard);
    done = true;
  }
  tried.notify_all();
  for (auto& thread : threads) thread.join();
  return static_cast<int>(threads.size());
}

}  // namespace cloze
