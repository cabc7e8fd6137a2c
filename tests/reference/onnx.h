/// \file
/// A plain interpreter of the ONNX operators that Cloze writes, after their text at
/// https://onnx.ai/onnx/operators (operator set 17). Everything is computed in double, integers
/// too.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <onnx_model.pb.h>

#include "cloze/tensor.h"

namespace cloze::testing {

struct OnnxArray {
  Shape shape;
  std::vector<double> values;
};

inline std::int64_t count(const Shape& shape) {
  std::int64_t product = 1;
  for (const auto size : shape) product *= size;
  return product;
}

/// `shape` with sizes of 1 before it, up to `rank`.
inline Shape padded_shape(Shape shape, std::size_t rank) {
  shape.insert(shape.begin(), rank - shape.size(), 1);
  return shape;
}

/// The index into an array of `shape` (of the same rank or, padded, less) of the element that
/// broadcasting puts at `position`.
inline std::int64_t broadcast_index(const Shape& shape, const Shape& position) {
  std::int64_t index = 0;
  const auto skip = position.size() - shape.size();
  for (std::size_t d = 0; d < shape.size(); ++d) {
    index = index * shape[d] + (shape[d] == 1 ? 0 : position[d + skip]);
  }
  return index;
}

/// Calls `body(position, index)` for every element of `shape` in row-major order.
template <class Body>
void for_each_position(const Shape& shape, const Body& body) {
  Shape position(shape.size(), 0);
  for (std::int64_t i = 0; i < count(shape); ++i) {
    body(position, i);
    for (auto d = shape.size(); d-- > 0;) {
      if (++position[d] < shape[d]) break;
      position[d] = 0;
    }
  }
}

inline Shape broadcast_shape(const Shape& a, const Shape& b) {
  const auto rank = std::max(a.size(), b.size());
  const auto x = padded_shape(a, rank), y = padded_shape(b, rank);
  Shape result(rank);
  for (std::size_t d = 0; d < rank; ++d) {
    if (x[d] != y[d] && x[d] != 1 && y[d] != 1) {
      throw std::runtime_error("cannot broadcast " + to_string(a) + " and " + to_string(b));
    }
    result[d] = x[d] == 1 ? y[d] : x[d];
  }
  return result;
}

class OnnxModel {
 public:
  /// Reads the file, and its external data beside it. Throws what a checker would complain of: a
  /// value that is used before it is made or made twice, a name used twice, an attribute of the
  /// wrong type, data of the wrong size.
  explicit OnnxModel(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!model_.ParseFromIstream(&file)) throw std::runtime_error("not a ModelProto");
    if (model_.opset_import_size() != 1 || !model_.opset_import(0).domain().empty()) {
      throw std::runtime_error("other operators than the standard ones");
    }
    if (graph().name().empty()) throw std::runtime_error("a graph without a name");
    std::set<std::string> made, names;
    const auto make = [&made](const std::string& name) {
      if (name.empty() || !made.insert(name).second)
        throw std::runtime_error("made twice: " + name);
    };
    for (const auto& input : graph().input()) make(input.name());
    for (const auto& tensor : graph().initializer()) {
      make(tensor.name());
      constants_[tensor.name()] = read(tensor, path.parent_path());
    }
    for (const auto& node : graph().node()) {
      for (const auto& input : node.input()) {
        used_.insert(input);
        if (!made.contains(input)) throw std::runtime_error(node.name() + " uses " + input);
      }
      for (const auto& output : node.output()) make(output);
      if (!names.insert(node.name()).second) throw std::runtime_error("twice: " + node.name());
    }
    for (const auto& output : graph().output()) {
      used_.insert(output.name());
      if (!made.contains(output.name())) throw std::runtime_error("no output " + output.name());
    }
  }

  [[nodiscard]] const onnx::ModelProto& proto() const { return model_; }
  [[nodiscard]] const onnx::GraphProto& graph() const { return model_.graph(); }
  [[nodiscard]] const OnnxArray& constant(const std::string& name) const {
    return constants_.at(name);
  }

  /// Initializers and values of nodes that nothing uses.
  [[nodiscard]] std::vector<std::string> unused() const {
    std::vector<std::string> names;
    for (const auto& [name, array] : constants_) {
      if (!used_.contains(name)) names.push_back(name);
    }
    for (const auto& node : graph().node()) {
      if (!used_.contains(node.output(0))) names.push_back(node.output(0));
    }
    return names;
  }

  /// Every output by name. Throws where an input is missing or an output's shape is not what the
  /// graph declares.
  [[nodiscard]] std::map<std::string, OnnxArray> run(
      const std::map<std::string, OnnxArray>& inputs) const {
    std::map<std::string, std::int64_t> dimensions;
    auto values = constants_;
    for (const auto& input : graph().input()) {
      values[input.name()] = inputs.at(input.name());
      check_shape(input, values.at(input.name()), dimensions);
    }
    for (const auto& node : graph().node()) values[node.output(0)] = compute(node, values);
    std::map<std::string, OnnxArray> outputs;
    for (const auto& output : graph().output()) {
      outputs[output.name()] = values.at(output.name());
      check_shape(output, values.at(output.name()), dimensions);
    }
    return outputs;
  }

 private:
  using Values = std::map<std::string, OnnxArray>;

  static OnnxArray read(const onnx::TensorProto& tensor, const std::filesystem::path& folder) {
    OnnxArray array;
    array.shape.assign(tensor.dims().begin(), tensor.dims().end());
    std::string bytes = tensor.raw_data();
    if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
      std::map<std::string, std::string> entries;
      for (const auto& entry : tensor.external_data()) entries[entry.key()] = entry.value();
      std::ifstream file(folder / entries.at("location"), std::ios::binary);
      file.seekg(std::stoll(entries.at("offset")));
      bytes.resize(static_cast<std::size_t>(std::stoll(entries.at("length"))));
      file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      if (!file) throw std::runtime_error("external data is too short for " + tensor.name());
    }
    const auto fill = [&]<class T>(T) {
      if (bytes.size() != static_cast<std::size_t>(count(array.shape)) * sizeof(T)) {
        throw std::runtime_error(tensor.name() + " has data of another size");
      }
      std::vector<T> numbers(bytes.size() / sizeof(T));
      std::memcpy(numbers.data(), bytes.data(), bytes.size());
      array.values.assign(numbers.begin(), numbers.end());
    };
    if (tensor.data_type() == onnx::TensorProto::FLOAT) {
      fill(float{});
    } else if (tensor.data_type() == onnx::TensorProto::INT64) {
      fill(std::int64_t{});
    } else {
      throw std::runtime_error(tensor.name() + " is of another type");
    }
    return array;
  }

  static void check_shape(const onnx::ValueInfoProto& info, const OnnxArray& array,
                          std::map<std::string, std::int64_t>& dimensions) {
    const auto& dims = info.type().tensor_type().shape().dim();
    bool same = static_cast<std::size_t>(dims.size()) == array.shape.size() &&
                static_cast<std::size_t>(count(array.shape)) == array.values.size();
    for (int d = 0; same && d < dims.size(); ++d) {
      const auto size = array.shape[static_cast<std::size_t>(d)];
      const auto& dim = dims[d];
      same = (dim.has_dim_param() ? dimensions.emplace(dim.dim_param(), size).first->second
                                  : dim.dim_value()) == size;
    }
    if (!same) throw std::runtime_error(info.name() + " has shape " + to_string(array.shape));
  }

  static const onnx::AttributeProto* find(const onnx::NodeProto& node, const std::string& name) {
    for (const auto& attribute : node.attribute()) {
      if (attribute.name() == name) return &attribute;
    }
    return nullptr;
  }

  static std::int64_t whole(const onnx::NodeProto& node, const std::string& name,
                            std::int64_t otherwise) {
    const auto* found = find(node, name);
    if (found == nullptr) return otherwise;
    if (found->type() != onnx::AttributeProto::INT) throw std::runtime_error(name + " is no INT");
    return found->i();
  }

  static std::vector<std::int64_t> list(const onnx::NodeProto& node, const std::string& name) {
    const auto* found = find(node, name);
    if (found == nullptr || found->type() != onnx::AttributeProto::INTS) {
      throw std::runtime_error(node.name() + " needs INTS " + name);
    }
    return {found->ints().begin(), found->ints().end()};
  }

  static std::size_t axis_of(std::int64_t axis, std::size_t rank) {
    const auto positive = axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
    if (positive < 0 || positive >= static_cast<std::int64_t>(rank)) {
      throw std::runtime_error("an axis outside");
    }
    return static_cast<std::size_t>(positive);
  }

  static OnnxArray unary(const OnnxArray& x, double (*function)(double)) {
    auto result = x;
    for (auto& value : result.values) value = function(value);
    return result;
  }

  template <class Function>
  static OnnxArray binary(const OnnxArray& a, const OnnxArray& b, const Function& function) {
    OnnxArray result{broadcast_shape(a.shape, b.shape), {}};
    for_each_position(result.shape, [&](const Shape& position, std::int64_t) {
      const auto x = static_cast<std::size_t>(broadcast_index(a.shape, position));
      const auto y = static_cast<std::size_t>(broadcast_index(b.shape, position));
      result.values.push_back(function(a.values[x], b.values[y]));
    });
    return result;
  }

  static OnnxArray matmul(const OnnxArray& a, const OnnxArray& b) {
    const auto m = a.shape.at(a.shape.size() - 2), k = a.shape.back(), n = b.shape.back();
    if (b.shape.at(b.shape.size() - 2) != k) throw std::runtime_error("MatMul's sizes differ");
    const Shape before_a(a.shape.begin(), a.shape.end() - 2),
        before_b(b.shape.begin(), b.shape.end() - 2);
    OnnxArray result{broadcast_shape(before_a, before_b), {}};
    for_each_position(Shape(result.shape), [&](const Shape& position, std::int64_t) {
      const auto x = broadcast_index(before_a, position) * m * k;
      const auto y = broadcast_index(before_b, position) * k * n;
      for (std::int64_t row = 0; row < m; ++row) {
        for (std::int64_t column = 0; column < n; ++column) {
          double sum = 0;
          for (std::int64_t i = 0; i < k; ++i) {
            sum += a.values[static_cast<std::size_t>(x + row * k + i)] *
                   b.values[static_cast<std::size_t>(y + i * n + column)];
          }
          result.values.push_back(sum);
        }
      }
    });
    result.shape.insert(result.shape.end(), {m, n});
    return result;
  }

  /// Every row along the last axis through `function`.
  template <class Function>
  static OnnxArray by_row(const OnnxArray& x, const Function& function) {
    auto result = x;
    const auto width = x.shape.back();
    for (auto row = result.values.begin(); row != result.values.end(); row += width) {
      function(row, row + width);
    }
    return result;
  }

  static OnnxArray transpose(const OnnxArray& x, const std::vector<std::int64_t>& order) {
    OnnxArray result;
    for (const auto axis : order)
      result.shape.push_back(x.shape.at(static_cast<std::size_t>(axis)));
    for_each_position(result.shape, [&](const Shape& position, std::int64_t) {
      Shape source(position.size());
      for (std::size_t d = 0; d < order.size(); ++d) {
        source[static_cast<std::size_t>(order[d])] = position[d];
      }
      result.values.push_back(x.values[static_cast<std::size_t>(broadcast_index(x.shape, source))]);
    });
    return result;
  }

  static OnnxArray gather(const OnnxArray& data, const OnnxArray& indices, std::int64_t along) {
    const auto axis = axis_of(along, data.shape.size());
    const auto split = data.shape.begin() + static_cast<std::ptrdiff_t>(axis);
    OnnxArray result{Shape(data.shape.begin(), split), {}};
    const auto outer = count(result.shape), size = *split;
    const auto inner = count(Shape(split + 1, data.shape.end()));
    result.shape.insert(result.shape.end(), indices.shape.begin(), indices.shape.end());
    result.shape.insert(result.shape.end(), split + 1, data.shape.end());
    for (std::int64_t i = 0; i < outer; ++i) {
      for (const auto wanted : indices.values) {
        const auto index = static_cast<std::int64_t>(wanted);
        if (index < 0 || index >= size) throw std::runtime_error("Gather outside");
        const auto from = data.values.begin() + (i * size + index) * inner;
        result.values.insert(result.values.end(), from, from + inner);
      }
    }
    return result;
  }

  /// Folds axis `along` away, or to a size of 1.
  static OnnxArray reduce(const OnnxArray& x, std::int64_t along, bool keep, double start,
                          const std::function<double(double, double)>& fold) {
    const auto axis = axis_of(along, x.shape.size());
    OnnxArray result{x.shape, {}};
    result.shape[axis] = 1;
    result.values.assign(static_cast<std::size_t>(count(result.shape)), start);
    for_each_position(x.shape, [&](const Shape& position, std::int64_t i) {
      auto& sum = result.values[static_cast<std::size_t>(broadcast_index(result.shape, position))];
      sum = fold(sum, x.values[static_cast<std::size_t>(i)]);
    });
    if (!keep) result.shape.erase(result.shape.begin() + static_cast<std::ptrdiff_t>(axis));
    return result;
  }

  static OnnxArray reshape(const OnnxArray& x, const OnnxArray& wanted) {
    OnnxArray result{{}, x.values};
    std::int64_t known = 1;
    for (std::size_t d = 0; d < wanted.values.size(); ++d) {
      const auto size = static_cast<std::int64_t>(wanted.values[d]);
      result.shape.push_back(size == 0 ? x.shape.at(d) : size);
      if (size != -1) known *= result.shape.back();
    }
    for (auto& size : result.shape) {
      if (size == -1) size = count(x.shape) / known;
    }
    if (count(result.shape) != count(x.shape)) throw std::runtime_error("Reshape to another size");
    return result;
  }

  static OnnxArray shape_of(const onnx::NodeProto& node, const OnnxArray& x) {
    const auto rank = static_cast<std::int64_t>(x.shape.size());
    OnnxArray result{{0}, {}};
    for (auto d = whole(node, "start", 0); d < whole(node, "end", rank); ++d) {
      result.values.push_back(static_cast<double>(x.shape.at(static_cast<std::size_t>(d))));
    }
    result.shape[0] = static_cast<std::int64_t>(result.values.size());
    return result;
  }

  static OnnxArray compute(const onnx::NodeProto& node, const Values& values) {
    const auto in = [&](int i) -> const OnnxArray& { return values.at(node.input(i)); };
    const auto& x = in(0);
    const auto& op = node.op_type();
    if (op == "Add") return binary(x, in(1), [](double a, double b) { return a + b; });
    if (op == "Sub") return binary(x, in(1), [](double a, double b) { return a - b; });
    if (op == "Mul") return binary(x, in(1), [](double a, double b) { return a * b; });
    if (op == "Div") return binary(x, in(1), [](double a, double b) { return a / b; });
    if (op == "Pow") return binary(x, in(1), [](double a, double b) { return std::pow(a, b); });
    if (op == "Max") return binary(x, in(1), [](double a, double b) { return std::max(a, b); });
    if (op == "Erf") return unary(x, [](double a) { return std::erf(a); });
    if (op == "Tanh") return unary(x, [](double a) { return std::tanh(a); });
    if (op == "Sqrt") return unary(x, [](double a) { return std::sqrt(a); });
    if (op == "Relu") return unary(x, [](double a) { return std::max(a, 0.0); });
    if (op == "Sigmoid") return unary(x, [](double a) { return 1 / (1 + std::exp(-a)); });
    if (op == "Cast") {
      if (whole(node, "to", 0) != onnx::TensorProto::FLOAT) throw std::runtime_error("Cast");
      return x;
    }
    if (op == "MatMul") return matmul(x, in(1));
    if (op == "Transpose") return transpose(x, list(node, "perm"));
    if (op == "Reshape") return reshape(x, in(1));
    if (op == "Shape") return shape_of(node, x);
    if (op == "Gather") return gather(x, in(1), whole(node, "axis", 0));
    if (op == "Softmax") {
      if (whole(node, "axis", -1) != -1) throw std::runtime_error("Softmax along another axis");
      return by_row(x, [](auto begin, auto end) {
        const auto top = *std::max_element(begin, end);
        double sum = 0;
        for (auto i = begin; i != end; ++i) sum += * i = std::exp(*i - top);
        for (auto i = begin; i != end; ++i) *i /= sum;
      });
    }
    if (op == "LayerNormalization") return layer_norm(node, x, in(1), in(2));
    if (op == "Unsqueeze") {
      auto result = x;
      const auto rank = x.shape.size() + in(1).values.size();
      std::vector<std::size_t> axes;
      for (const auto axis : in(1).values) {
        axes.push_back(axis_of(static_cast<std::int64_t>(axis), rank));
      }
      std::sort(axes.begin(), axes.end());
      for (const auto axis : axes) {
        result.shape.insert(result.shape.begin() + static_cast<std::ptrdiff_t>(axis), 1);
      }
      return result;
    }
    if (op == "Slice") {  // of the first axis
      const auto start = static_cast<std::int64_t>(in(1).values.at(0));
      const auto end = std::min(static_cast<std::int64_t>(in(2).values.at(0)), x.shape.at(0));
      if (in(3).values != std::vector<double>{0}) throw std::runtime_error("Slice");
      const auto row = count(x.shape) / x.shape[0];
      OnnxArray result{x.shape, {x.values.begin() + start * row, x.values.begin() + end * row}};
      result.shape[0] = end - start;
      return result;
    }
    if (op == "Concat") {  // of vectors
      auto result = x;
      for (int i = 1; i < node.input_size(); ++i) {
        result.values.insert(result.values.end(), in(i).values.begin(), in(i).values.end());
      }
      result.shape = {static_cast<std::int64_t>(result.values.size())};
      return result;
    }
    if (op == "Range") {
      OnnxArray result{{0}, {}};
      for (auto i = x.values.at(0); i < in(1).values.at(0); i += in(2).values.at(0)) {
        result.values.push_back(i);
      }
      result.shape[0] = static_cast<std::int64_t>(result.values.size());
      return result;
    }
    const bool keep = whole(node, "keepdims", 1) != 0;
    if (op == "ReduceSum") {  // axes are an input since set 13, an attribute of the others until 18
      return reduce(x, static_cast<std::int64_t>(in(1).values.at(0)), keep, 0, std::plus<>());
    }
    if (op == "ReduceMax") {
      return reduce(x, list(node, "axes").at(0), keep, -INFINITY,
                    [](double a, double b) { return std::max(a, b); });
    }
    if (op == "ReduceL2") {
      return reduce(x, list(node, "axes").at(0), keep, 0,
                    [](double a, double b) { return std::hypot(a, b); });
    }
    if (op == "GatherND") {  // data [B, L, H], indices [B, 1]
      if (whole(node, "batch_dims", 0) != 1) throw std::runtime_error("GatherND");
      OnnxArray result{{x.shape.at(0), x.shape.at(2)}, {}};
      for (std::int64_t b = 0; b < x.shape[0]; ++b) {
        const auto row = static_cast<std::int64_t>(in(1).values.at(static_cast<std::size_t>(b)));
        if (row < 0 || row >= x.shape[1]) throw std::runtime_error("GatherND outside");
        const auto from = x.values.begin() + (b * x.shape[1] + row) * x.shape[2];
        result.values.insert(result.values.end(), from, from + x.shape[2]);
      }
      return result;
    }
    throw std::runtime_error("an operator that this interpreter does not know: " + op);
  }

  static OnnxArray layer_norm(const onnx::NodeProto& node, const OnnxArray& x,
                              const OnnxArray& scale, const OnnxArray& bias) {
    const auto* epsilon = find(node, "epsilon");
    if (whole(node, "axis", -1) != -1 || epsilon == nullptr ||
        epsilon->type() != onnx::AttributeProto::FLOAT) {
      throw std::runtime_error("LayerNormalization");
    }
    return by_row(x, [&](auto begin, auto end) {
      const auto width = static_cast<double>(end - begin);
      double mean = 0, variance = 0;
      for (auto i = begin; i != end; ++i) mean += *i / width;
      for (auto i = begin; i != end; ++i) variance += (*i - mean) * (*i - mean) / width;
      for (auto i = begin; i != end; ++i) {
        const auto at = static_cast<std::size_t>(i - begin);
        *i = (*i - mean) / std::sqrt(variance + epsilon->f()) * scale.values.at(at) +
             bias.values.at(at);
      }
    });
  }

  onnx::ModelProto model_;
  Values constants_;
  std::set<std::string> used_;
};

}  // namespace cloze::testing
