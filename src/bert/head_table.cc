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

std::string architecture_of(const HeadKind& head, Family family) {
  if (family == Family::dpr) family = Family::bert;
  for (const auto other : {Family::bert, Family::electra}) {
    if (!head.families.contains(family)) family = other;
  }
  return fmt::format("{}{}", class_prefix(family), head.class_name);
}

bool states(const BertConfig& config, const HeadKind& head) {
  const auto& stated = config.architectures;
  return std::any_of(stated.begin(), stated.end(), [&](const std::string& name) {
    const auto is = [&](Family family) {
      return head.families.contains(family) && name.ends_with(architecture_of(head, family));
    };
    return is(Family::bert) || is(Family::electra);  // BERT's: "DistilBertForMaskedLM", too
  });
}

std::int64_t outputs_of(const HeadLayer& layer, const BertConfig& config) {
  if (layer.outputs == kLabels) return config.num_labels();
  return layer.outputs == kVocabulary ? config.vocab_size : layer.outputs;
}

LinearShape linear_shape(const HeadLayer& layer, const BertConfig& config) {
  const bool stated = layer.outputs != kLabels || !config.id2label.empty();
  std::string_view part;
  if (layer.input == HeadInput::masked) part = ".decoder";
  if (layer.input == HeadInput::transformed) part = ".dense_prediction";
  return {fmt::format("{}{}", layer.name, part), stated ? outputs_of(layer, config) : -1,
          layer.input == HeadInput::masked ? config.embedding_width() : config.hidden_size};
}

LinearShape transform_shape(const HeadLayer& layer, const BertConfig& config) {
  return {fmt::format("{}.dense", layer.name), config.hidden_size, config.hidden_size};
}

std::vector<ParameterShape> model_parameters(const BertConfig& config, const HeadKind& head) {
  auto list = encoder_parameters(config, head.pooler);
  for (const auto& layer : head.layers()) {
    if (layer.input != HeadInput::masked) {
      if (layer.input == HeadInput::transformed) append(list, transform_shape(layer, config));
      auto linear = linear_shape(layer, config);
      linear.outputs = outputs_of(layer, config);
      append(list, linear);
      continue;
    }
    const auto shapes = prediction_shapes(config);
    const bool electra = family_of(config) == Family::electra;  // has one bias, the decoder's
    if (!electra) list.push_back({std::string(kPredictionBias), {config.vocab_size}});
    append(list, shapes.transform);
    append(list, shapes.norm);
    if (!config.tie_word_embeddings) append(list, shapes.decoder);
    if (electra || !config.tie_word_embeddings) {
      list.push_back({std::string(kDecoderBias), {config.vocab_size}});
    }
  }
  return list;
}

std::string key_tensor(const HeadLayer& layer) {
  std::string_view part;
  if (layer.input == HeadInput::masked) part = ".transform.dense";
  if (layer.input == HeadInput::transformed) part = ".dense";
  return fmt::format("{}{}.weight", layer.name, part);
}

std::string_view about_layer(const HeadKind& head, const HeadLayer& layer) {
  if (head.layers().size() > 1) {
    for (const auto* row : rows_with(layer.name, kHeads)) return row->about;
  }
  return head.about;
}

std::vector<std::string> architectures_with(const HeadKind& head, Family family) {
  std::vector<std::string> names{architecture_of(head, family)};
  for (const auto& other : kHeads) {
    if (!other.families.contains(family == Family::dpr ? Family::bert : family)) continue;
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
      names.push_back(architecture_of(other, family));
    }
  }
  return names;
}

bool has_tensor(const HeadKind& head, std::string_view name, Family family) {
  if (name.starts_with("bert.pooler.")) return head.pooler && family == Family::bert;
  if (name.starts_with("bert.")) return true;
  const auto layers = head.layers();
  const auto is_of = [&](std::string_view module) {
    return name.starts_with(module) && name.substr(module.size()).starts_with('.');
  };
  if (is_of("pre_classifier") || is_of(kElectraPooler)) {
    const auto owner = is_of(kElectraPooler) ? Family::electra : Family::distilbert;
    return family == owner && std::any_of(layers.begin(), layers.end(), [](const auto& layer) {
             return layer.input == HeadInput::pooled;
           });
  }
  if (is_of(kDprProjection)) return family == Family::dpr;
  return std::any_of(layers.begin(), layers.end(),
                     [&](const HeadLayer& layer) { return is_of(layer.name); });
}

std::string stored_name(std::string_view name, const HeadKind& head, Family family) {
  std::string stored(name);
  if (family == Family::distilbert) stored = distilbert_name(name);
  if (family == Family::electra) {
    stored = electra_name(name, head.unit == HeadUnit::sequence);
  }
  const auto prefix = tensor_prefix(family);
  if (head.layers().empty() && stored.starts_with(prefix)) stored.erase(0, prefix.size());
  return stored;
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
