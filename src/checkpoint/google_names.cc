#include "checkpoint/google_names.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace cloze {
namespace {

using Kind = GoogleVariable::Kind;

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

/// What optimizers add to a variable's name, and what they and the training loop count.
bool is_slot(const std::vector<std::string_view>& parts) {
  constexpr std::array<std::string_view, 14> kSlots{
      "adam_m",      "adam_v",      "Adam",        "Adam_1",    "lamb_m",
      "lamb_v",      "LAMB",        "LAMB_1",      "Momentum",  "global_step",
      "accum_grads", "beta1_power", "beta2_power", "loss_scale"};
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) {
    return std::find(kSlots.begin(), kSlots.end(), part) != kSlots.end() ||
           part.starts_with("AdamWeightDecayOptimizer") || part.starts_with("LAMBOptimizer") ||
           part.starts_with("current_loss_scale") || part.starts_with("good_steps");
  });
}

/// layer_11 -> 11.
std::optional<std::string_view> layer_number(std::string_view part) {
  constexpr std::string_view kLayer = "layer_";
  if (!part.starts_with(kLayer) || part.size() == kLayer.size()) return std::nullopt;
  const auto number = part.substr(kLayer.size());
  const bool digits =
      std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits ? std::optional(number) : std::nullopt;
}

struct Renamed {
  std::string_view variable, name;
};
constexpr std::array<Renamed, 7> kHeads{
    {{"cls/predictions/output_bias", "cls.predictions.bias"},
     {"cls/seq_relationship/output_weights", "cls.seq_relationship.weight"},
     {"cls/seq_relationship/output_bias", "cls.seq_relationship.bias"},
     {"cls/squad/output_weights", "qa_outputs.weight"},
     {"cls/squad/output_bias", "qa_outputs.bias"},
     {"output_weights", "classifier.weight"},
     {"output_bias", "classifier.bias"}}};

}  // namespace

GoogleVariable translate_google_name(std::string_view variable) {
  auto path = variable;
  if (path.ends_with(":0")) path.remove_suffix(2);
  for (const auto& head : kHeads) {
    if (head.variable == path) return {Kind::weight, std::string(head.name)};
  }
  const auto parts = split(path);
  if (is_slot(parts)) return {Kind::slot, std::string(variable)};
  if (parts[0] != "bert" && parts[0] != "cls") return {Kind::other, std::string(variable)};

  std::string name;
  for (const auto part : parts) {
    if (!name.empty()) name += '.';
    const auto number = layer_number(part);
    name += number ? "layer." : part;
    if (number) name += *number;
  }
  const auto rename_last = [&name](std::string_view from, std::string_view to) {
    if (name.ends_with(from)) name.replace(name.size() - from.size(), from.size(), to);
  };
  rename_last(".kernel", ".weight");
  rename_last(".gamma", ".weight");
  rename_last(".beta", ".bias");
  rename_last("_embeddings", "_embeddings.weight");
  return {parts.back() == "kernel" ? Kind::kernel : Kind::weight, std::move(name)};
}

}  // namespace cloze
