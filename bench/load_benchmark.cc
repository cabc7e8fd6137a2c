#include "bench/load_benchmark.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "bench/quantiles.h"
#include "cloze/batch.h"
#include "cloze/checkpoint.h"
#include "core/clock.h"
#include "core/parallel.h"

namespace cloze {
namespace {

/// Whether the tensor is mapped as it lies in its file: another is copied whenever it is read.
bool is_mapped(const Checkpoint& checkpoint, const std::string& name) {
  const auto once = checkpoint.tensor(name), again = checkpoint.tensor(name);
  return once.bytes().data() == again.bytes().data();
}

/// Opens the checkpoint and reads the first number of `names`; something of them, to be returned.
double open_and_touch(const std::filesystem::path& directory,
                      const std::vector<std::string>& names) {
  const auto start = Clock::now();
  const auto checkpoint = Checkpoint::open(directory);
  unsigned char all = 0;
  for (const auto& name : names) {
    const auto tensor = checkpoint.tensor(name);
    if (!tensor.empty()) all ^= std::to_integer<unsigned char>(tensor.bytes().front());
  }
  volatile const unsigned char used = all;
  static_cast<void>(used);
  return milliseconds_since(start);
}

/// Copies `bytes` from memory that is there to memory that is new, as loading must.
double copy(std::int64_t bytes) {
  constexpr std::int64_t kBlock = 1 << 20;
  const std::vector<std::byte> from(static_cast<std::size_t>(kBlock), std::byte{1});
  const auto start = Clock::now();
  const std::unique_ptr<std::byte[]> to(new std::byte[static_cast<std::size_t>(bytes)]);
  parallel_for((bytes + kBlock - 1) / kBlock, 1, [&](std::int64_t block) {
    const auto size = std::min(kBlock, bytes - block * kBlock);
    std::memcpy(to.get() + block * kBlock, from.data(), static_cast<std::size_t>(size));
  });
  return milliseconds_since(start);
}

Batch one_text(const BertConfig& config) {
  std::vector<std::int32_t> ids;
  const auto length = std::min<std::int64_t>(16, config.max_position_embeddings);
  for (std::int64_t i = 0; i < length; ++i) {
    ids.push_back(static_cast<std::int32_t>(i % config.vocab_size));
  }
  Batch batch;
  batch.append(ids);
  return batch;
}

}  // namespace

LoadBenchmark benchmark_load(const std::filesystem::path& directory, std::int64_t rounds,
                             const LoadOptions& options) {
  LoadBenchmark result{.rounds = std::max<std::int64_t>(1, rounds)};
  const auto checkpoint = Checkpoint::open(directory);
  std::vector<std::string> mapped;
  for (const auto& name : checkpoint.names()) {
    const auto tensor = checkpoint.tensor(name);
    result.bytes += static_cast<std::int64_t>(tensor.bytes().size());
    if (is_mapped(checkpoint, name)) mapped.push_back(name);
  }
  const auto batch = one_text(BertConfig::from_pretrained(directory));
  std::vector<double> opened, loaded, first, copied;
  for (std::int64_t round = 0; round <= result.rounds; ++round) {
    const auto open_ms = open_and_touch(directory, mapped);
    const auto start = Clock::now();
    std::optional model(BertModel::from_pretrained(directory, options));
    const auto load_ms = milliseconds_since(start);
    const auto call = Clock::now();
    static_cast<void>((*model)(batch));
    const auto first_ms = milliseconds_since(call);
    model.reset();
    const auto copy_ms = copy(result.bytes);
    if (round == 0) continue;
    opened.push_back(open_ms);
    loaded.push_back(load_ms);
    first.push_back(first_ms);
    copied.push_back(copy_ms);
  }
  result.open_ms = median(opened);
  result.load_ms = median(loaded);
  result.first_ms = median(first);
  result.copy_ms = median(copied);
  return result;
}

}  // namespace cloze
