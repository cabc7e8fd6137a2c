#include "bert/vocabulary_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bert/head_model.h"
#include "bert/head_table.h"
#include "bert/matrix_rows.h"
#include "checkpoint/finite.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "core/parallel.h"
#include "core/strings.h"

namespace cloze::internal {
namespace {

/// Words of a slice and tokens of a tile: their logits, 512 KiB, stay in a core's second-level
/// cache, and the slice's weights in the third while all tokens pass.
constexpr std::int64_t kSlice = 2048, kTile = 64;

/// A row of logits taken into the pool of its sequence.
void take(std::span<const float> logits, const VocabularyPooling& pooling, std::span<float> pool) {
  if (!pooling.sum) {  // the logarithms grow with the logit: they wait until the maximum is known
    for (std::size_t i = 0; i < pool.size(); ++i) pool[i] = std::max(pool[i], logits[i]);
    return;
  }
  for (std::size_t i = 0; i < pool.size(); ++i) {
    if (!(logits[i] > 0)) continue;
    const float weight = std::log1p(logits[i]);
    pool[i] += pooling.twice ? std::log1p(weight) : weight;
  }
}

/// The words of a pool whose weight is over 0, numbered from `first`.
void append_words(std::span<const float> pool, const VocabularyPooling& pooling, std::int64_t first,
                  WordWeights& words) {
  for (std::size_t i = 0; i < pool.size(); ++i) {
    if (!(pool[i] > 0)) continue;
    float weight = pool[i];
    if (!pooling.sum) {
      weight = std::log1p(weight);
      if (pooling.twice) weight = std::log1p(weight);
    }
    if (!std::isfinite(weight)) {
      throw ModelError(
          fmt::format("the weight of the word {} is {}: what the model computes is out "
                      "of the range of numbers",
                      first + static_cast<std::int64_t>(i), weight));
    }
    words.ids.push_back(static_cast<std::int32_t>(first + static_cast<std::int64_t>(i)));
    words.weights.push_back(weight);
  }
}

/// Keeps the `most` greatest weights.
void keep_greatest(WordWeights& words, std::size_t most) {
  if (words.ids.size() <= most) return;
  std::vector<std::size_t> order(words.ids.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(most);
  std::nth_element(order.begin(), end, order.end(), [&](std::size_t a, std::size_t b) {
    return words.weights[a] != words.weights[b] ? words.weights[a] > words.weights[b] : a < b;
  });
  order.resize(most);
  std::sort(order.begin(), order.end());
  WordWeights kept;
  for (const auto at : order) {
    kept.ids.push_back(words.ids[at]);
    kept.weights.push_back(words.weights[at]);
  }
  words = std::move(kept);
}

}  // namespace

std::shared_ptr<const VocabularyModel> VocabularyModel::from_pretrained(
    const std::filesystem::path& directory_or_name, const VocabularyPooling& pooling,
    const LoadOptions& options) {
  const auto directory = find_model(directory_or_name.string());
  auto config = BertConfig::from_pretrained(directory);
  const auto checkpoint = Checkpoint::open(directory);
  CheckpointWeights weights(checkpoint);
  return std::shared_ptr<const VocabularyModel>(
      new VocabularyModel(std::move(config), checkpoint, weights, pooling, options));
}

VocabularyModel::VocabularyModel(BertConfig config, Checkpoint checkpoint, WeightSource& weights,
                                 const VocabularyPooling& pooling, const LoadOptions& options)
    : checkpoint_(std::move(checkpoint)),
      pooling_(pooling),
      encoder_(
          [&] {
            const auto& head = heads::masked_lm;
            const auto tensor = key_tensor(head.layers().front());
            const auto family = family_of(config);
            if (!weights.contains(tensor)) {
              throw ModelError(fmt::format(
                  "{} has no {} head ({} is not among its tensors), of which the weights of words "
                  "are made; use a checkpoint saved as {}",
                  excerpt_of_path(checkpoint_.path()), head.about,
                  stored_name(tensor, head, family),
                  fmt::join(architectures_with(head, family), " or ")));
            }
            return std::move(config);
          }(),
          weights, options) {
  const auto& device = encoder_.device();
  const auto shapes = prediction_shapes(this->config());
  transform_ = weights.linear(device, {shapes.transform}, encoder_.compute());
  norm_ = weights.layer_norm(device, shapes.norm, this->config().layer_norm_eps);
  const auto decoder = decoder_tensors(weights, this->config(), encoder_.word_embeddings());
  const auto origin = excerpt_of_path(checkpoint_.path());
  require_finite_weight(decoder.weight, origin, "the decoder's weight");
  require_finite_weight(decoder.bias, origin, "the decoder's bias");
  const auto words = decoder.weight.dim(0);
  for (std::int64_t first = 0; first < words; first += kSlice) {
    const auto end = std::min(words, first + kSlice);
    const auto weight = decoder.weight.rows(first, end);
    const auto bias = decoder.bias.rows(first, end);
    slices_.push_back(
        ops::LinearWeight::pack(device, {&weight, 1}, {&bias, 1}, encoder_.compute()));
  }
  if (!decoder.tied) weights.release(shapes.decoder.name);
}

ops::Matrix VocabularyModel::transform(ops::Context& context, ops::ConstMatrix hidden) const {
  const auto features = context.matrix(encoder_.compute(), hidden.rows, transform_.out_features());
  ops::linear(context, hidden, transform_, epilogue_of(prediction_activation(config())), features);
  ops::layer_norm(context, features, norm_, features);
  return features;
}

void VocabularyModel::require_finite(ops::ConstMatrix features) const {
  const auto size = static_cast<std::size_t>(features.rows * features.cols);
  const auto tensor = Tensor::view(features.dtype, {features.rows, features.cols},
                                   {features.data, size * size_of(features.dtype)}, nullptr);
  if (all_finite(tensor)) return;
  for (const auto& name : checkpoint_.names()) {
    require_finite_weight(checkpoint_.tensor(name), excerpt_of_path(checkpoint_.path()),
                          excerpt(name));
  }
  throw ModelError(
      fmt::format("{} gives results that are infinite or NaN, although its weights are "
                  "not: what it computes is out of the range of numbers",
                  excerpt_of_path(checkpoint_.path())));
}

std::vector<WordWeights> VocabularyModel::words_of(ops::Context& context, ops::ConstMatrix features,
                                                   const Batch& batch) const {
  const auto sequences = batch.sequences();
  const auto tile = std::min(kTile, features.rows);
  const std::int64_t workers = num_threads();
  const auto logits = context.matrix(DType::f32, workers * tile, kSlice);
  const auto pools = context.matrix(DType::f32, workers * sequences, kSlice);
  std::vector<std::vector<WordWeights>> parts(slices_.size());
  parallel_for(static_cast<std::int64_t>(slices_.size()), 1, [&](std::int64_t index) {
    const auto& slice = slices_[static_cast<std::size_t>(index)];
    const auto width = static_cast<std::size_t>(slice.out_features());
    const std::int64_t worker = worker_index();
    const auto own = pools.rows_from(worker * sequences, sequences);
    for (std::int64_t s = 0; s < sequences; ++s) {
      const auto pool = row_of(own, s).first(width);
      std::fill(pool.begin(), pool.end(), 0.0F);
    }
    std::int64_t sequence = 0;
    for (std::int64_t begin = 0; begin < features.rows; begin += tile) {
      const auto count = std::min(tile, features.rows - begin);
      const ops::Matrix some{logits.row(worker * tile), DType::f32, count, slice.out_features(),
                             slice.out_features()};
      ops::linear(context, features.rows_from(begin, count), slice, ops::Epilogue::none, some);
      for (std::int64_t row = 0; row < count; ++row) {
        while (begin + row >= batch.cu_seqlens[static_cast<std::size_t>(sequence) + 1]) ++sequence;
        take(row_of(ops::ConstMatrix(some), row), pooling_, row_of(own, sequence).first(width));
      }
    }
    auto& part = parts[static_cast<std::size_t>(index)];
    part.resize(static_cast<std::size_t>(sequences));
    for (std::int64_t s = 0; s < sequences; ++s) {
      append_words(row_of(own, s).first(width), pooling_, index * kSlice,
                   part[static_cast<std::size_t>(s)]);
    }
  });
  std::vector<WordWeights> words(static_cast<std::size_t>(sequences));
  for (const auto& part : parts) {
    for (std::size_t s = 0; s < words.size(); ++s) {
      words[s].ids.insert(words[s].ids.end(), part[s].ids.begin(), part[s].ids.end());
      words[s].weights.insert(words[s].weights.end(), part[s].weights.begin(),
                              part[s].weights.end());
    }
  }
  return words;
}

std::vector<WordWeights> VocabularyModel::run(const Batch& batch, std::int64_t most) const {
  if (most < 0) throw ArgumentError(fmt::format("the {} greatest weights were asked for", most));
  std::vector<WordWeights> words(static_cast<std::size_t>(batch.sequences()));
  encoder_.run(batch, {}, nullptr, {}, [&](ops::Context& context, ops::Matrix hidden) {
    if (hidden.rows == 0) return;
    const auto features = transform(context, hidden);
    require_finite(features);
    words = words_of(context, features, batch);
  });
  for (auto& each : words) {
    if (most > 0) keep_greatest(each, static_cast<std::size_t>(most));
  }
  return words;
}

}  // namespace cloze::internal
