#include "sentence/dense.h"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "checkpoint/finite.h"
#include "checkpoint/model_names.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/json.h"
#include "core/json_fields.h"
#include "core/strings.h"

namespace cloze {
namespace {

/// torch.nn's names; "GELU" is torch's default, erf.
constexpr std::array<std::pair<std::string_view, ops::Epilogue>, 5> kActivations{
    {{"Identity", ops::Epilogue::none},
     {"Tanh", ops::Epilogue::tanh},
     {"ReLU", ops::Epilogue::relu},
     {"GELU", ops::Epilogue::gelu},
     {"SiLU", ops::Epilogue::silu}}};

Tensor aligned(const Tensor& tensor) {
  auto copy = Tensor::zeros(DType::f32, tensor.shape());
  const auto source = tensor.to(DType::f32);
  const auto bytes = source.bytes();
  std::copy(bytes.begin(), bytes.end(), copy.mutable_bytes().begin());
  return copy;
}

ops::Epilogue read_activation(const nlohmann::json& config, const std::string& origin) {
  const auto field = config.find("activation_function");
  if (field == config.end()) return ops::Epilogue::tanh;  // the module's default
  const auto stated = field->is_string() ? field->get<std::string>() : field->dump();
  const auto name = stated.substr(stated.rfind('.') + 1);
  // Of another package, a class may compute anything, whatever its name.
  const bool of_torch = stated == name || stated.starts_with("torch.");
  for (const auto& [torch, epilogue] : kActivations) {
    if (torch == name && of_torch) return epilogue;
  }
  throw ModelError(fmt::format(
      "{}: \"activation_function\" is {}, which Cloze does not compute; it has torch's Identity, "
      "Tanh, ReLU, GELU and SiLU",
      origin, in_quotes(stated)));
}

/// A tensor of the module, of this shape.
Tensor read_weight(const Checkpoint& checkpoint, const char* name, const Shape& shape) {
  auto tensor = aligned(checkpoint.tensor(name));
  if (tensor.shape() != shape) {
    throw ModelError(fmt::format("{}: {} has shape {}, which should be {}",
                                 checkpoint.path().string(), name, to_string(tensor.shape()),
                                 to_string(shape)));
  }
  require_finite_weight(tensor, excerpt_of_path(checkpoint.path()), name);
  return tensor;
}

}  // namespace

DenseParameters read_dense(const std::filesystem::path& directory) {
  const auto path = directory / "config.json";
  const auto origin = path.string();
  const auto config = parse_json_object(files::read_text(path), origin);
  DenseParameters dense;
  dense.activation = read_activation(config, origin);
  dense.use_residual = json_field<bool>(config, "use_residual", origin).value_or(false);
  const auto checkpoint = Checkpoint::open(directory);
  const auto& shape = checkpoint.info("linear.weight").shape;
  const auto stated = [&](const char* field, std::size_t dim) {
    const auto found = config.find(field);
    const bool same = shape.size() == 2 && found != config.end() && found->is_number_integer() &&
                      found->get<std::int64_t>() == shape[dim];
    if (!same) {
      throw ModelError(
          fmt::format("{}: linear.weight has shape {}, which is not what {} says of {}",
                      checkpoint.path().string(), to_string(shape), origin, field));
    }
  };
  stated("out_features", 0);
  stated("in_features", 1);
  dense.weight = read_weight(checkpoint, "linear.weight", shape);
  dense.bias = checkpoint.contains("linear.bias")
                   ? read_weight(checkpoint, "linear.bias", {shape[0]})
                   : Tensor::zeros(DType::f32, {shape[0]});
  if (dense.use_residual && shape[0] != shape[1]) {
    dense.residual = read_weight(checkpoint, "residual.weight", shape);
  }
  checkpoint.require_unchanged();
  return dense;
}

DenseParameters read_linear(const SentenceStep& step) {
  if (step.kind == SentenceStep::Kind::dense) return read_dense(step.directory);
  if (step.kind != SentenceStep::Kind::projection) {
    throw ArgumentError("a step that scales vectors has no linear layer");
  }
  const auto config = BertConfig::from_pretrained(step.directory);
  const auto checkpoint = Checkpoint::open(step.directory);
  const ModelNames names(checkpoint);
  const auto stored = [&](const char* name) -> const std::string& {
    if (const auto* found = names.stored(name)) return *found;
    throw ModelError(
        fmt::format("{} has no tensor {}, the projection that its config.json says it "
                    "has",
                    checkpoint.path().string(), name));
  };
  DenseParameters dense;
  if (config.model_type == "dpr") {
    dense.weight = read_weight(checkpoint, stored("encode_proj.weight").c_str(),
                               {config.projection_dim, config.hidden_size});
    dense.bias =
        read_weight(checkpoint, stored("encode_proj.bias").c_str(), {config.projection_dim});
  } else {  // Stanford's ColBERT, which states no size and has no bias
    const auto& name = stored("linear.weight");
    const auto& shape = checkpoint.info(name).shape;
    const auto rows = shape.empty() ? 0 : shape.front();
    dense.weight = read_weight(checkpoint, name.c_str(), {rows, config.hidden_size});
    dense.bias = Tensor::zeros(DType::f32, {rows});
  }
  checkpoint.require_unchanged();
  return dense;
}

void require_in_features(const SentenceStep& step, std::int64_t in_features, std::int64_t given) {
  if (in_features == given) return;
  throw ModelError(
      fmt::format("{}: the dense layer reads vectors of {} values, and those before it have {}",
                  excerpt_of_path(step.directory), in_features, given));
}

Dense::Dense(const DenseParameters& parameters)
    : weight_(ops::LinearWeight::pack({&parameters.weight, 1}, {&parameters.bias, 1}, DType::f32)),
      activation_(parameters.activation),
      use_residual_(parameters.use_residual) {
  if (!parameters.residual.empty()) {
    residual_ = ops::LinearWeight::pack({&parameters.residual, 1}, {}, DType::f32);
  }
}

Dense Dense::from_pretrained(const std::filesystem::path& directory) {
  return Dense(read_dense(directory));
}

Dense Dense::of_step(const SentenceStep& step) { return Dense(read_linear(step)); }

Tensor Dense::operator()(const Tensor& rows) const {
  auto result = Tensor::zeros(DType::f32, {rows.dim(0), out_features()});
  if (result.empty()) return result;
  const auto lease = contexts_->borrow();
  ops::linear(lease.context(), ops::matrix_of(rows), weight_, activation_, ops::matrix_of(result));
  if (!use_residual_) return result;
  if (!residual_.empty()) {
    ops::linear(lease.context(), ops::matrix_of(rows), residual_, ops::Epilogue::add,
                ops::matrix_of(result));
    return result;
  }
  const auto input = rows.values<float>();
  const auto output = result.mutable_values<float>();
  for (std::size_t i = 0; i < output.size(); ++i) output[i] += input[i];
  return result;
}

}  // namespace cloze
