#include "bert/head_table.h"

#include <algorithm>

#include <fmt/format.h>

#include "checkpoint/model_names.h"
#include "cloze/error.h"

namespace cloze::internal {
namespace {

/// Rows of one layer that have the tensors of `layer`.
std::vector<const HeadKind*> rows_with(std::string_view layer, std::span<const HeadKind> heads) {
  std::vector<const HeadKind*> rows;
  for (const auto& head : heads) {
    if (head.layers().size() == 1 && head.layers().front().name == layer) rows.push_back(&head);
  }
  return rows;
}

}  // namespace

std::string_view name_of(TaskLoss loss) {
  switch (loss) {
    case TaskLoss::cross_entropy:
      return "cross entropy";
    case TaskLoss::binary_cross_entropy:
      return "binary cross entropy";
    case TaskLoss::mean_squared_error:
      return "mean squared error";
    case TaskLoss::in_batch_negatives:
      return "in-batch negatives";
    case TaskLoss::cosine_error:
      return "cosine error";
  }
  throw ArgumentError("not a loss");
}

std::string architecture_of(const HeadKind& head, bool distilbert) {
  return fmt::format("{}{}", distilbert ? "DistilBert" : "Bert", head.class_name);
}

bool states(const BertConfig& config, const HeadKind& head) {
  const auto& stated = config.architectures;
  return std::any_of(stated.begin(), stated.end(), [&](const std::string& name) {
    return name.ends_with(architecture_of(head));  // "DistilBertForMaskedLM", too
  });
}

std::int64_t outputs_of(const HeadLayer& layer, const BertConfig& config) {
  if (layer.outputs == kLabels) return config.num_labels();
  return layer.outputs == kVocabulary ? config.vocab_size : layer.outputs;
}

LinearShape linear_shape(const HeadLayer& layer, const BertConfig& config) {
  const bool stated = layer.outputs != kLabels || !config.id2label.empty();
  const std::string_view decoder = layer.input == HeadInput::masked ? ".decoder" : "";
  return {fmt::format("{}{}", layer.name, decoder), stated ? outputs_of(layer, config) : -1,
          config.hidden_size};
}

std::vector<ParameterShape> model_parameters(const BertConfig& config, const HeadKind& head) {
  auto list = encoder_parameters(config, head.pooler);
  for (const auto& layer : head.layers()) {
    if (layer.input != HeadInput::masked) {
      append(list,
             LinearShape{std::string(layer.name), outputs_of(layer, config), config.hidden_size});
      continue;
    }
    const auto shapes = prediction_shapes(config);
    list.push_back({std::string(kPredictionBias), {config.vocab_size}});
    append(list, shapes.transform);
    append(list, shapes.norm);
    if (config.tie_word_embeddings) continue;
    append(list, shapes.decoder);
    list.push_back({std::string(kDecoderBias), {config.vocab_size}});
  }
  return list;
}

std::string key_tensor(const HeadLayer& layer) {
  const std::string_view part = layer.input == HeadInput::masked ? ".transform.dense" : "";
  return fmt::format("{}{}.weight", layer.name, part);
}

std::string_view about_layer(const HeadKind& head, const HeadLayer& layer) {
  if (head.layers().size() > 1) {
    for (const auto* row : rows_with(layer.name, kHeads)) return row->about;
  }
  return head.about;
}

std::vector<std::string> architectures_with(const HeadKind& head) {
  std::vector<std::string> names{architecture_of(head)};
  for (const auto& other : kHeads) {
    const auto layers = other.layers();
    const auto has = [&](const HeadLayer& layer) {
      return std::any_of(layers.begin(), layers.end(), [&](const HeadLayer& each) {
        return each.name == layer.name && each.input == layer.input &&
               each.outputs == layer.outputs;
      });
    };
    const auto wanted = head.layers();
    if (layers.size() > wanted.size() && !wanted.empty() &&
        std::all_of(wanted.begin(), wanted.end(), has)) {
      names.push_back(architecture_of(other));
    }
  }
  return names;
}

bool has_tensor(const HeadKind& head, std::string_view name, bool distilbert) {
  if (name.starts_with("bert.pooler.")) return head.pooler && !distilbert;
  if (name.starts_with("bert.")) return true;
  const auto layers = head.layers();
  if (name.starts_with("pre_classifier.")) {
    return distilbert && std::any_of(layers.begin(), layers.end(), [](const HeadLayer& layer) {
             return layer.input == HeadInput::pooled;
           });
  }
  return std::any_of(layers.begin(), layers.end(), [&](const HeadLayer& layer) {
    return name.starts_with(layer.name) && name.substr(layer.name.size()).starts_with('.');
  });
}

std::vector<const HeadKind*> heads_in(const ModelNames& names, const BertConfig& config,
                                      std::span<const HeadKind> heads) {
  std::vector<const HeadKind*> found;
  for (const auto& head : heads) {
    if (head.layers().size() != 1) continue;
    const auto& layer = head.layers().front();
    const auto rows = rows_with(layer.name, heads);
    if (rows.front() != &head || !names.contains(key_tensor(layer))) continue;
    const auto stated = std::find_if(rows.begin(), rows.end(),
                                     [&](const auto* row) { return states(config, *row); });
    found.push_back(stated == rows.end() ? &head : *stated);
  }
  return found;
}

const HeadKind& class_of(const ModelNames& names, const BertConfig& config,
                         std::span<const HeadKind> heads) {
  const HeadKind* best = nullptr;
  const auto single = heads_in(names, config, heads);
  const auto shares = [&](const HeadKind& head) {
    return rows_with(head.layers().front().name, heads).size() > 1;
  };
  for (const auto* head : single) {
    if (best == nullptr || (shares(*best) && !shares(*head))) best = head;
  }
  for (const auto& head : heads) {
    const auto layers = head.layers();
    const bool whole = std::all_of(layers.begin(), layers.end(), [&](const HeadLayer& layer) {
      return names.contains(key_tensor(layer));
    });
    if (whole && layers.size() > 1 && (best == nullptr || best->layers().size() < layers.size())) {
      best = &head;
    }
  }
  return best == nullptr ? heads::encoder : *best;
}

}  // namespace cloze::internal
