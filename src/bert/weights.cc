#include "bert/weights.h"

#include <memory>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "core/philox.h"
#include "core/strings.h"
#include "ops/transfer.h"

namespace cloze::internal {
namespace {

constexpr std::string_view kSegments = "bert.embeddings.token_type_embeddings.weight";

bool fits(const Shape& found, const Shape& wanted) {
  if (found.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (wanted[i] >= 0 && found[i] != wanted[i]) return false;
  }
  return true;
}

/// A tensor that operations can read in place: f32, f16 or bf16, aligned to its element.
Tensor readable(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
      break;
    default:
      return tensor.to(DType::f32);
  }
  const auto address = reinterpret_cast<std::uintptr_t>(tensor.bytes().data());
  if (address % size_of(tensor.dtype()) == 0) return tensor;
  auto copy = Tensor::zeros(tensor.dtype(), tensor.shape());
  std::copy(tensor.bytes().begin(), tensor.bytes().end(), copy.mutable_bytes().begin());
  return copy;
}

/// A copy in the device's memory, not a view of the mapped file.
ops::Block<float> floats_of(const ops::Device& device, const Tensor& tensor) {
  const auto converted = tensor.to(DType::f32);
  ops::Block<float> block(device, static_cast<std::size_t>(converted.numel()));
  ops::copy_in(device, converted.values<float>(), block.values());
  return block;
}

}  // namespace

ops::LinearWeight WeightSource::linear(const ops::Device& device,
                                       std::initializer_list<LinearShape> parts, DType compute) {
  std::vector<Tensor> weights, biases;
  for (const auto& part : parts) {
    weights.push_back(take(part.name + ".weight", {part.outputs, part.inputs}));
    biases.push_back(take(part.name + ".bias", {weights.back().dim(0)}));
  }
  auto packed = ops::LinearWeight::pack(device, weights, biases, compute);
  for (const auto& part : parts) release(part.name + ".weight");
  return packed;
}

ops::NormParameters WeightSource::layer_norm(const ops::Device& device, const NormShape& norm,
                                             double epsilon) {
  struct Values {
    ops::Block<float> gamma, beta;
  };
  auto values = std::make_shared<const Values>(
      Values{floats_of(device, take(norm.name + ".weight", {norm.size})),
             floats_of(device, take(norm.name + ".bias", {norm.size}))});
  return {.gamma = values->gamma.values(),
          .beta = values->beta.values(),
          .epsilon = static_cast<float>(epsilon),
          .storage = values};
}

CheckpointWeights::CheckpointWeights(Checkpoint checkpoint)
    : checkpoint_(std::move(checkpoint)), names_(checkpoint_) {}

bool CheckpointWeights::contains(const std::string& name) const { return names_.contains(name); }

Tensor CheckpointWeights::take(const std::string& name, const Shape& shape) {
  const auto* found = names_.stored(name);
  if (found == nullptr && names_.distilbert() && name == kSegments) {
    return Tensor::zeros(DType::f32, shape);
  }
  if (found == nullptr) {
    throw ModelError(fmt::format(
        "{} has no tensor {} (expected shape {}): it is not a complete {} of this configuration",
        checkpoint_.path().string(), names_.electra() ? electra_name(name, false) : name,
        to_string(shape), names_.electra() ? "ELECTRA" : "BERT"));
  }
  const auto& info = checkpoint_.info(*found);
  if (!fits(info.shape, shape)) {
    throw ModelError(fmt::format("{}: tensor {} has shape {}, but config.json makes it {}",
                                 checkpoint_.path().string(), *found, to_string(info.shape),
                                 to_string(shape)));
  }
  switch (info.dtype) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
    case DType::f64:
      break;
    default:
      throw ModelError(
          fmt::format("{}: tensor {} is of {}, which weights cannot be; expected f32, "
                      "f16 or bf16",
                      checkpoint_.path().string(), *found, name_of(info.dtype)));
  }
  return readable(checkpoint_.tensor(*found));
}

std::string CheckpointWeights::origin() const { return excerpt_of_path(checkpoint_.path()); }

void CheckpointWeights::release(const std::string& name) {
  if (const auto* found = names_.stored(name)) checkpoint_.release(*found);
  checkpoint_.require_unchanged();
}

std::function<void()> CheckpointWeights::watch() const {
  return [checkpoint = checkpoint_] { checkpoint.require_unchanged(); };
}

RandomWeights::RandomWeights(const BertConfig& config, std::uint64_t seed)
    : deviation_(static_cast<float>(config.initializer_range)),
      tied_(config.tie_word_embeddings),
      seed_(seed) {}

bool RandomWeights::contains(const std::string& name) const {
  return !tied_ || (name != kDecoderWeight && name != kDecoderBias);
}

Tensor RandomWeights::take(const std::string& name, const Shape& shape) {
  Shape sizes = shape;
  for (auto& size : sizes) {
    if (size < 0) size = 2;  // a head whose outputs are not stated: transformers' num_labels
  }
  auto tensor = Tensor::zeros(DType::f32, sizes);
  const auto values = tensor.mutable_values<float>();
  if (name.ends_with("LayerNorm.weight")) {
    std::fill(values.begin(), values.end(), 1.0F);
  } else if (!name.ends_with("bias")) {
    std::uint64_t stream = 0xCBF29CE484222325ULL;  // FNV-1a of the name
    for (const char c : name) {
      stream = (stream ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    }
    const Philox random(seed_, stream);
    const auto pairs = static_cast<std::int64_t>((values.size() + 1) / 2);
    parallel_for(pairs, 4096, [&](std::int64_t i) {
      const auto at = static_cast<std::size_t>(2 * i);
      const auto pair = random.normals(static_cast<std::uint64_t>(i));
      values[at] = deviation_ * pair[0];
      if (at + 1 < values.size()) values[at + 1] = deviation_ * pair[1];
    });
  }
  return tensor;
}

void RandomWeights::release(const std::string& name) { static_cast<void>(name); }

}  // namespace cloze::internal
