#include "sentence/dense.h"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/json.h"

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

}  // namespace

DenseParameters read_dense(const std::filesystem::path& directory) {
  const auto path = directory / "config.json";
  const auto origin = path.string();
  const auto config = parse_json_object(files::read_text(path), origin);
  const auto activation = config.find("activation_function");
  DenseParameters dense;
  if (activation != config.end() && !activation->is_null()) {
    const auto stated =
        activation->is_string() ? activation->get<std::string>() : activation->dump();
    const auto name = stated.substr(stated.rfind('.') + 1);
    bool known = false;
    for (const auto& [torch, epilogue] : kActivations) {
      if (torch != name) continue;
      dense.activation = epilogue;
      known = true;
    }
    if (!known) {
      throw ModelError(fmt::format(
          "{}: \"activation_function\" is {}, which Cloze does not compute; it has Identity, Tanh, "
          "ReLU, GELU and SiLU",
          origin, in_quotes(stated)));
    }
  } else {
    dense.activation = ops::Epilogue::tanh;  // the module's default
  }
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
  dense.weight = aligned(checkpoint.tensor("linear.weight"));
  dense.bias = Tensor::zeros(DType::f32, {shape[0]});
  if (checkpoint.contains("linear.bias")) {
    dense.bias = aligned(checkpoint.tensor("linear.bias"));
    if (dense.bias.shape() != Shape{shape[0]}) {
      throw ModelError(fmt::format("{}: linear.bias has shape {}, and linear.weight {}",
                                   checkpoint.path().string(), to_string(dense.bias.shape()),
                                   to_string(shape)));
    }
  }
  checkpoint.require_unchanged();
  return dense;
}

Dense Dense::from_pretrained(const std::filesystem::path& directory) {
  const auto parameters = read_dense(directory);
  Dense dense;
  dense.weight_ =
      ops::LinearWeight::pack({&parameters.weight, 1}, {&parameters.bias, 1}, DType::f32);
  dense.activation_ = parameters.activation;
  return dense;
}

Tensor Dense::operator()(const Tensor& rows) const {
  auto result = Tensor::zeros(DType::f32, {rows.dim(0), out_features()});
  if (result.empty()) return result;
  const auto lease = contexts_->borrow();
  ops::linear(lease.context(), ops::matrix_of(rows), weight_, activation_, ops::matrix_of(result));
  return result;
}

}  // namespace cloze
