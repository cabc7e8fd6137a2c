#include "bench/tokenize_benchmark.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/parallel.h"

namespace cloze {
TokenizeBenchmark benchmark_tokenize(const Tokenizer& tokenizer,
                                     std::span<const std::string_view> texts,
                                     const TokenizeBenchmarkOptions& options) {
  TokenizeBenchmark result;
  result.texts = static_cast<std::int64_t>(texts.size());
  result.threads = num_threads();
  for (const auto text : texts) result.bytes += static_cast<std::int64_t>(text.size());

  Batch batch;
  Alignment alignment;
  std::vector<Batch> batches(static_cast<std::size_t>(result.threads));
  std::string copied(static_cast<std::size_t>(result.bytes), '\0');
  std::size_t seen = 0;  // keeps the work from being thought useless
  const std::pair<TokenizeTimes*, std::function<void()>> kinds[] = {
      {&result.ids,
       [&] {
         batch.clear();
         for (const auto text : texts) tokenizer.append_to(batch, text);
         result.tokens = batch.total_tokens();
       }},
      {&result.offsets,
       [&] {
         batch.clear();
         alignment.clear();
         for (const auto text : texts) tokenizer.append_to(batch, alignment, text);
       }},
      {&result.encodings,
       [&] {
         for (const auto text : texts) seen += tokenizer.encode(text).ids.size();
       }},
      {&result.one_core,
       [&] {
         set_num_threads(1);
         seen += tokenizer.pack(texts).input_ids.size();
         set_num_threads(result.threads);
       }},
      {&result.all_cores, [&] { seen += tokenizer.pack(texts).input_ids.size(); }},
      {&result.apart,
       [&] {
         parallel_for(result.threads, 1, [&](std::int64_t thread) {
           auto& own = batches[static_cast<std::size_t>(thread)];
           own.clear();
           for (const auto text : texts) tokenizer.append_to(own, text);
         });
       }},
      {&result.copy,
       [&] {
         auto to = copied.begin();
         for (const auto text : texts) to = std::copy(text.begin(), text.end(), to);
         seen += static_cast<std::size_t>(copied.empty() ? '\0' : copied.back());
       }},
  };
  constexpr double kEnough = 5e3;  // ms, all kinds together
  constexpr std::size_t kLeast = 5;
  const auto start = Clock::now();
  const auto ms_since = [](Clock::time_point then) { return milliseconds_since(then); };
  for (std::size_t round = 0;; ++round) {
    const auto wanted = static_cast<std::size_t>(std::max(options.iterations, 0));
    if (wanted > 0 ? round > wanted : round > kLeast && ms_since(start) > kEnough) break;
    for (const auto& [times, work] : kinds) {
      const auto begin = Clock::now();
      work();
      if (round > 0) times->ms.push_back(ms_since(begin));  // the first round warms up
    }
  }
  for (const auto& [times, work] : kinds) std::sort(times->ms.begin(), times->ms.end());
  return result;
}

}  // namespace cloze
