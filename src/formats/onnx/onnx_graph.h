/// \file
/// An ONNX graph as it grows: operations are added in the order in which they run, weights are
/// named now and read when the file is written.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cloze/tensor.h"

namespace cloze {

namespace onnx {
class GraphProto;
}

/// The name of a tensor in the graph.
using OnnxValue = std::string;

/// A size that is known, or the name of one that each run brings: "batch_size".
using OnnxDimension = std::variant<std::int64_t, std::string>;

struct OnnxAttribute {
  std::string_view name;
  std::variant<std::int64_t, float, std::vector<std::int64_t>> value;
};

/// A large constant, f32, which the file's writer asks for when its turn comes.
struct OnnxWeight {
  std::string name;
  Shape shape;
  std::function<Tensor()> read;  ///< a tensor of this shape, f32
};

class OnnxGraph {
 public:
  /// The version of the standard operators that are used: the first with LayerNormalization.
  static constexpr std::int64_t kOperatorSet = 17;

  explicit OnnxGraph(const std::string& name);  ///< a name is required of a graph
  OnnxGraph(const OnnxGraph&) = delete;
  OnnxGraph(OnnxGraph&&) noexcept;
  OnnxGraph& operator=(const OnnxGraph&) = delete;
  OnnxGraph& operator=(OnnxGraph&&) noexcept;
  ~OnnxGraph();

  /// An int64 tensor that a run brings.
  OnnxValue input(const std::string& name, const std::vector<OnnxDimension>& shape);

  /// Names an f32 value that a run is asked for.
  void output(const OnnxValue& value, const std::string& name,
              const std::vector<OnnxDimension>& shape);

  /// An operation of one output. `place` tells where in the model it is, and begins its name.
  OnnxValue node(std::string_view operation, const std::vector<OnnxValue>& inputs,
                 const std::string& place, const std::vector<OnnxAttribute>& attributes = {});

  /// Small constants; the same name is the same constant.
  OnnxValue integers(const std::string& name, std::initializer_list<std::int64_t> values);
  OnnxValue integer(const std::string& name, std::int64_t value);  ///< without dimensions
  OnnxValue number(const std::string& name, float value);          ///< without dimensions

  /// A weight; one that is there already under this name is used again.
  OnnxValue weight(OnnxWeight weight);

  [[nodiscard]] const onnx::GraphProto& proto() const { return *proto_; }
  [[nodiscard]] std::span<const OnnxWeight> weights() const { return weights_; }
  [[nodiscard]] std::int64_t nodes() const;
  [[nodiscard]] std::vector<std::string> inputs() const;
  [[nodiscard]] std::vector<std::string> outputs() const;

 private:
  bool has_constant(const std::string& name) const;

  std::unique_ptr<onnx::GraphProto> proto_;
  std::vector<OnnxWeight> weights_;
};

}  // namespace cloze
