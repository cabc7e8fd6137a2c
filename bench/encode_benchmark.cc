#include "bench/encode_benchmark.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <string>

#include "cloze/error.h"
#include "core/clock.h"
#include "core/parallel.h"
#include "ops/device.h"

namespace cloze {
namespace {

std::vector<std::int64_t> lengths_of(std::span<const TokenizedText> texts) {
  std::vector<std::int64_t> lengths(texts.size());
  std::transform(texts.begin(), texts.end(), lengths.begin(),
                 [](const TokenizedText& text) { return text.length(); });
  return lengths;
}

/// Work that is enough to know oneDNN's rate, and quickly done.
constexpr double enough_flops = 100e9;

/// The products of a few of the batches, spread over all of them.
std::vector<ops::GemmShape> gemm_shapes(const BertConfig& config, std::span<const Batch> batches) {
  const std::int64_t one = 1;
  const double a_batch = encoder_flops(config, std::span(&one, 1)) *
                         static_cast<double>(batches.front().total_tokens());
  const auto count = std::clamp<std::size_t>(static_cast<std::size_t>(enough_flops / a_batch), 1,
                                             std::min<std::size_t>(4, batches.size()));
  std::vector<ops::GemmShape> shapes;
  for (std::size_t i = 0; i < count; ++i) {
    const auto rows = batches[(2 * i + 1) * batches.size() / (2 * count)].total_tokens();
    const auto hidden = config.hidden_size;
    const auto inner = config.intermediate_size;
    const auto layers = config.num_hidden_layers;
    shapes.push_back({.m = rows, .n = 3 * hidden, .k = hidden, .count = layers});
    shapes.push_back({.m = rows, .n = hidden, .k = hidden, .count = layers});
    shapes.push_back({.m = rows, .n = inner, .k = hidden, .count = layers});
    shapes.push_back({.m = rows, .n = hidden, .k = inner, .count = layers});
  }
  return shapes;
}

DType gemm_dtype(Precision precision) {
  switch (precision) {
    case Precision::bf16:
      return DType::bf16;
    case Precision::int8:
      return DType::i8;
    default:
      return DType::f32;
  }
}

/// oneDNN's GFLOP/s over `shapes`, from a few passes at least.
double gemm_gflops(std::span<const ops::GemmShape> shapes, DType compute) {
  double flops = 0.0;
  for (const auto& s : shapes) {
    flops += 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k) *
             static_cast<double>(s.count);
  }
  const auto repeats = std::clamp(enough_flops / flops, 3.0, 100.0);
  return ops::gemm_rate(ops::cpu(), shapes, compute, static_cast<int>(repeats));
}

}  // namespace

EncodeBenchmark benchmark_encode(const BertModel& model, std::span<const TokenizedText> texts,
                                 const EncodeBenchmarkOptions& options) {
  constexpr double budget_ms = 3000.0;
  if (texts.empty()) throw ArgumentError("there is nothing to encode: no sequences were given");
  const auto lengths = lengths_of(texts);
  std::vector<Batch> batches;
  for (const auto& indices : plan_batches(texts, options.batch_tokens)) {
    batches.push_back(pack(texts, indices));
  }
  EncodeBenchmark result;
  result.sequences = static_cast<std::int64_t>(texts.size());
  result.longest = *std::max_element(lengths.begin(), lengths.end());
  result.batches = static_cast<std::int64_t>(batches.size());
  result.threads = num_threads();
  result.flops = encoder_flops(model.config(), lengths);
  for (const auto length : lengths) result.tokens += length;

  const auto pass = [&] {
    const auto start = Clock::now();
    for (const auto& batch : batches) static_cast<void>(model(batch));
    return milliseconds_since(start);
  };
  const auto compute = gemm_dtype(model.precision());
  const auto shapes = gemm_shapes(model.config(), batches);
  time_passes(result, options.passes, budget_ms, pass,
              [&] { return gemm_gflops(shapes, compute); });
  if (options.passes.profile) {
    const auto start = Clock::now();
    for (const auto& batch : batches) {
      static_cast<void>(model(batch, {.profile = &result.profile}));
    }
    result.profiled_seconds = seconds_since(start);
  }
  return result;
}

double encoder_flops(const BertConfig& config, std::span<const std::int64_t> lengths) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto inner = static_cast<double>(config.intermediate_size);
  double a_layer = 0.0;
  for (const auto tokens : lengths) {
    const auto n = static_cast<double>(tokens);
    a_layer += 8.0 * n * hidden * hidden + 4.0 * n * hidden * inner + 4.0 * n * n * hidden;
  }
  return a_layer * static_cast<double>(config.num_hidden_layers);
}

std::vector<TokenizedText> random_texts(const BertConfig& config,
                                        std::span<const std::int64_t> lengths, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<TokenizedText> texts;
  for (const auto length : lengths) {
    if (length < 1 || length > config.max_position_embeddings) {
      throw ArgumentError("a sequence has 1 to " + std::to_string(config.max_position_embeddings) +
                          " tokens in this model, not " + std::to_string(length));
    }
    TokenizedText text;
    for (std::int64_t i = 0; i < length; ++i) {
      text.ids.push_back(
          static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(config.vocab_size)));
    }
    text.type_ids.assign(text.ids.size(), 0);
    texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace cloze
