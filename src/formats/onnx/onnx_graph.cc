#include "formats/onnx/onnx_graph.h"

#include <algorithm>

#include <fmt/format.h>
#include <onnx_model.pb.h>

#include "cloze/error.h"

namespace cloze {
namespace {

void describe(onnx::ValueInfoProto& info, const std::string& name, onnx::TensorProto::DataType type,
              const std::vector<OnnxDimension>& shape) {
  info.set_name(name);
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  auto& dims = *tensor.mutable_shape();
  for (const auto& size : shape) {
    auto& dim = *dims.add_dim();
    if (const auto* named = std::get_if<std::string>(&size)) {
      dim.set_dim_param(*named);
    } else {
      dim.set_dim_value(std::get<std::int64_t>(size));
    }
  }
}

/// The bytes of `values` as ONNX has them: little-endian, as every machine here is.
template <class T>
std::string raw(std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class Infos>
std::vector<std::string> names_of(const Infos& infos) {
  std::vector<std::string> names;
  for (const auto& info : infos) names.push_back(info.name());
  return names;
}

}  // namespace

OnnxGraph::OnnxGraph(const std::string& name) : proto_(std::make_unique<onnx::GraphProto>()) {
  proto_->set_name(name);
}
OnnxGraph::OnnxGraph(OnnxGraph&&) noexcept = default;
OnnxGraph& OnnxGraph::operator=(OnnxGraph&&) noexcept = default;
OnnxGraph::~OnnxGraph() = default;

OnnxValue OnnxGraph::input(const std::string& name, const std::vector<OnnxDimension>& shape) {
  describe(*proto_->add_input(), name, onnx::TensorProto::INT64, shape);
  return name;
}

void OnnxGraph::output(const OnnxValue& value, const std::string& name,
                       const std::vector<OnnxDimension>& shape) {
  for (auto& node : *proto_->mutable_node()) {
    for (auto& output : *node.mutable_output()) {
      if (output == value) output = name;
    }
    for (auto& input : *node.mutable_input()) {
      if (input == value) input = name;
    }
  }
  describe(*proto_->add_output(), name, onnx::TensorProto::FLOAT, shape);
}

OnnxValue OnnxGraph::node(std::string_view operation, const std::vector<OnnxValue>& inputs,
                          const std::string& place, const std::vector<OnnxAttribute>& attributes) {
  // Operations of one kind at one place are counted from the second on.
  const auto base = fmt::format("{}/{}", place, operation);
  const auto taken = [this](const std::string& name) {
    return std::any_of(proto_->node().begin(), proto_->node().end(),
                       [&](const auto& node) { return node.name() == name; });
  };
  auto name = base;
  for (int count = 1; taken(name); ++count) name = fmt::format("{}_{}", base, count);
  auto& node = *proto_->add_node();
  node.set_name(name);
  node.set_op_type(std::string(operation));
  for (const auto& value : inputs) node.add_input(value);
  for (const auto& [key, value] : attributes) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(std::string(key));
    if (const auto* whole = std::get_if<std::int64_t>(&value)) {
      attribute.set_type(onnx::AttributeProto::INT);
      attribute.set_i(*whole);
    } else if (const auto* real = std::get_if<float>(&value)) {
      attribute.set_type(onnx::AttributeProto::FLOAT);
      attribute.set_f(*real);
    } else {
      attribute.set_type(onnx::AttributeProto::INTS);
      for (const auto item : std::get<std::vector<std::int64_t>>(value)) attribute.add_ints(item);
    }
  }
  node.add_output(name + "_output");
  return node.output(0);
}

bool OnnxGraph::has_constant(const std::string& name) const {
  return std::any_of(proto_->initializer().begin(), proto_->initializer().end(),
                     [&](const auto& tensor) { return tensor.name() == name; });
}

OnnxValue OnnxGraph::integers(const std::string& name, std::initializer_list<std::int64_t> values) {
  if (has_constant(name)) return name;
  auto& tensor = *proto_->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<std::int64_t>(values.size()));
  tensor.set_raw_data(raw(std::span(values.begin(), values.size())));
  return name;
}

OnnxValue OnnxGraph::integer(const std::string& name, std::int64_t value) {
  if (has_constant(name)) return name;
  auto& tensor = *proto_->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.set_raw_data(raw(std::span<const std::int64_t>(&value, 1)));
  return name;
}

OnnxValue OnnxGraph::number(const std::string& name, float value) {
  if (has_constant(name)) return name;
  auto& tensor = *proto_->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.set_raw_data(raw(std::span<const float>(&value, 1)));
  return name;
}

OnnxValue OnnxGraph::weight(OnnxWeight weight) {
  for (const auto& there : weights_) {
    if (there.name == weight.name) return there.name;
  }
  weights_.push_back(std::move(weight));
  return weights_.back().name;
}

std::int64_t OnnxGraph::nodes() const { return proto_->node_size(); }
std::vector<std::string> OnnxGraph::inputs() const { return names_of(proto_->input()); }
std::vector<std::string> OnnxGraph::outputs() const { return names_of(proto_->output()); }

}  // namespace cloze
