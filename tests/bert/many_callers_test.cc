// Many threads that call one model: they get the bits that one gets, share its working memory, and
// the process may fork meanwhile.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <omp.h>

#include "bert/context_pool.h"
#include "cloze/batch.h"
#include "cloze/bert.h"
#include "cloze/config.h"
#include "cloze/tensor.h"
#include "core/child_process.h"
#include "core/parallel.h"
#include "ops/device.h"
#include "ops/machine.h"

namespace cloze::testing {
namespace {

/// Small enough for a sanitizer, and with work for several threads at once.
BertConfig small_config() {
  BertConfig config;
  config.vocab_size = 100;
  config.hidden_size = 64;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.intermediate_size = 256;
  config.max_position_embeddings = 128;
  return config;
}

/// `sequences` of uneven lengths; another seed has others.
Batch callers_batch(int sequences, int seed) {
  Batch batch;
  for (int s = 0; s < sequences; ++s) {
    const int length = 5 + (s * 37 + seed * 11) % 60;
    for (int i = 0; i < length; ++i) {
      batch.input_ids.push_back((i * 7 + s * 13 + seed) % 100);
      batch.token_type_ids.push_back(i % 2);
      batch.position_ids.push_back(i);
    }
    batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.input_ids.size()));
  }
  return batch;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0;
}

class ManyThreads : public ::testing::Test {
 protected:
  void TearDown() override { set_num_threads(0); }

  /// Runs `callers` threads, each of which calls the model `rounds` times, and counts results that
  /// are not those of a lone caller.
  static int wrong_results(const BertModel& model, int callers, int rounds) {
    constexpr int kBatches = 6;
    std::vector<Batch> batches;
    std::vector<BertOutput> expected;
    for (int i = 0; i < kBatches; ++i) {
      batches.push_back(callers_batch(1 + i * 2, i));
      expected.push_back(model(batches.back()));
    }
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int caller = 0; caller < callers; ++caller) {
      threads.emplace_back([&, caller] {
        for (int round = 0; round < rounds; ++round) {
          const auto i = static_cast<std::size_t>(caller + round) % batches.size();
          const auto out = model(batches[i]);
          if (!same_bits(out.last_hidden_state, expected[i].last_hidden_state) ||
              !same_bits(out.pooler_output, expected[i].pooler_output)) {
            wrong.fetch_add(1);
          }
        }
      });
    }
    for (auto& thread : threads) thread.join();
    return wrong;
  }
};

TEST_F(ManyThreads, GetTheSameBitsAsOne) {
  for (const auto precision : {Precision::f32, Precision::bf16, Precision::int8}) {
    if (!testing::computes(precision)) continue;
    const auto model = BertModel::random(small_config(), 1, {.precision = precision});
    for (const int threads : {1, 2, 3}) {
      set_num_threads(threads);
      EXPECT_EQ(wrong_results(model, 32, 8), 0)
          << name_of(precision) << " at " << threads << " threads";
    }
  }
}

TEST_F(ManyThreads, SixtyFourMayCallAModel) {
  set_num_threads(2);
  const auto model = BertModel::random(small_config(), 1, {.precision = Precision::f32});
  EXPECT_EQ(wrong_results(model, 64, 4), 0);
}

TEST_F(ManyThreads, MayCallWhileTheNumberOfThreadsChanges) {
  const auto model = BertModel::random(small_config(), 1, {.precision = Precision::f32});
  const auto batch = callers_batch(6, 0);
  std::vector<Tensor> expected;  // at each number of threads
  for (int threads = 1; threads <= 3; ++threads) {
    set_num_threads(threads);
    expected.push_back(model(batch).last_hidden_state);
  }
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0, calls = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&] {
      while (!done) {
        const auto out = model(batch).last_hidden_state;
        const auto is_out = [&](const Tensor& each) { return same_bits(out, each); };
        if (std::none_of(expected.begin(), expected.end(), is_out)) wrong.fetch_add(1);
        calls.fetch_add(1);
      }
    });
  }
  for (int i = 0; i < 60 || calls < 30; ++i) {
    set_num_threads(1 + i % 3);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  done = true;
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ManyThreads, ShareAsManyContextsAsComputeAtOnce) {
  set_num_threads(3);
  internal::ContextPool pool(ops::cpu());
  std::set<const ops::Context*> seen;
  std::mutex guard;
  std::vector<std::thread> threads;
  for (int i = 0; i < 24; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        const auto lease = pool.borrow();
        std::this_thread::yield();
        const std::lock_guard lock(guard);
        seen.insert(&lease.context());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(seen.size(), 3U);
}

TEST_F(ManyThreads, KeepTheirOpenMpSettings) {
  set_num_threads(2);
  omp_set_num_threads(3);
  const auto model = BertModel::random(small_config(), 1, {.precision = Precision::f32});
  static_cast<void>(model(callers_batch(6, 0)));
  EXPECT_EQ(omp_get_max_threads(), 3);
}

class ForkOfAModel : public ManyThreads {
 protected:
  static constexpr int kForks = 50;

  void SetUp() override {
    if (!kForksWithThreads) GTEST_SKIP() << kNoThreadsAfterFork;
    set_num_threads(2);
    expected_ = model_(batch_).last_hidden_state;
  }

  void fork_often() const {
    for (int i = 0; i < kForks; ++i) {
      const int code = in_child(
          [this] { return same_bits(model_(batch_).last_hidden_state, expected_) ? 0 : 1; },
          ending_of(i));
      ASSERT_EQ(code, 0);
      ASSERT_TRUE(same_bits(model_(batch_).last_hidden_state, expected_));
    }
  }

  const BertModel model_ = BertModel::random(small_config(), 1, {.precision = Precision::f32});
  const Batch batch_ = callers_batch(6, 0);
  Tensor expected_;
};

TEST_F(ForkOfAModel, TheChildOfTheMainThreadGetsTheSameBits) { fork_often(); }

TEST_F(ForkOfAModel, TheChildOfAnotherThreadGetsTheSameBits) {
  std::thread([this] { fork_often(); }).join();
}

TEST_F(ForkOfAModel, TheChildGetsTheSameBitsThoughOthersComputedAtTheFork) {
  std::atomic<bool> done = false;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&, caller] {
      // Ever new shapes and models: oneDNN is busy compiling.
      for (int i = 0; !done; ++i) {
        const auto other = BertModel::random(small_config(), 2, {.precision = Precision::f32});
        static_cast<void>(other(callers_batch(1 + i % 9, caller * 1000 + i)));
        static_cast<void>(model_(callers_batch(1 + i % 9, caller * 1000 + i)));
      }
    });
  }
  fork_often();
  done = true;
  for (auto& caller : callers) caller.join();
}

}  // namespace
}  // namespace cloze::testing
