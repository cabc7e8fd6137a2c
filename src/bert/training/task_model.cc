#include "bert/training/task_model.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "bert/encoder.h"
#include "bert/training/sentence_losses.h"
#include "bert/training/trainable_encoder.h"
#include "bert/training/trainable_heads.h"
#include "cloze/error.h"
#include "core/json_fields.h"
#include "core/parallel.h"
#include "ops/dropout.h"
#include "ops/loss.h"
#include "ops/pooling.h"
#include "ops/rows.h"
#include "ops/transfer.h"

namespace cloze::internal {
namespace {

/// The head's layer; null where it has none (sentence vectors).
const HeadLayer* layer_of(const HeadKind& head) {
  return head.layers().empty() ? nullptr : &head.layers().front();
}

/// Columns of the logits.
std::int64_t columns_of(const BertConfig& config, const HeadKind& head) {
  const auto* layer = layer_of(head);
  return layer == nullptr ? config.hidden_size : outputs_of(*layer, config);
}

/// Probabilities of dropout around a head's layers.
struct HeadDropout {
  double pooler = 0;      ///< of what the pooler reads
  double classifier = 0;  ///< of what the last layer reads
};

/// BERT drops out the pooled output. ELECTRA's classifier of sequences drops out the first token's
/// hidden state too, and its multiple choice goes by `summary_first_dropout` and
/// `summary_last_dropout`.
HeadDropout head_dropout(const BertConfig& config, const HeadKind& head) {
  const double usual = config.classifier_dropout.value_or(config.hidden_dropout_prob);
  if (family_of(config) != Family::electra) return {.pooler = 0, .classifier = usual};
  if (head.unit != HeadUnit::choice) return {.pooler = usual, .classifier = usual};
  const auto extra = parse_json_object(config.extra_json, "BertConfig::extra_json");
  const auto rate = [&](const char* name, double otherwise) {
    const auto stated = json_field<double>(extra, name, "BertConfig::extra_json");
    const double value = stated.value_or(otherwise);
    if (value >= 0 && value <= 1) return value;
    throw ModelError(
        fmt::format("config.json: \"{}\" is {}; a probability is 0 to 1", name, value));
  };
  return {.pooler = rate("summary_first_dropout", 0),
          .classifier = rate("summary_last_dropout", 0.1)};
}

/// Groups of choices as cumulative counts.
std::vector<std::int32_t> choice_segments(const TaskBatch& batch) {
  std::vector<std::int32_t> ends{0};
  for (const auto count : batch.choices) ends.push_back(ends.back() + count);
  return ends;
}

void require_count(std::size_t found, std::int64_t wanted, const char* what) {
  if (static_cast<std::int64_t>(found) != wanted) {
    throw ArgumentError(fmt::format("a batch has {} {} where {} fit it", found, what, wanted));
  }
}

void require_choices(const TaskBatch& batch) {
  std::int64_t sum = 0;
  for (const auto count : batch.choices) {
    if (count < 1) throw ArgumentError(fmt::format("a group of {} choices", count));
    sum += count;
  }
  if (sum != batch.inputs.sequences()) {
    throw ArgumentError(fmt::format("groups of {} choices in a batch of {} sequences", sum,
                                    batch.inputs.sequences()));
  }
}

void require_options(const BertConfig& config, const TaskModelOptions& options) {
  const auto& head = *options.head;
  const bool classes = options.loss == TaskLoss::cross_entropy;
  const bool by_label = head.unit == HeadUnit::sequence || head.unit == HeadUnit::token;
  const auto* layer = layer_of(head);
  if (head.unit == HeadUnit::position || head.layers().size() > 1 ||
      (layer != nullptr && layer->input == HeadInput::transformed) ||
      (head.layers().empty() && head.unit != HeadUnit::pair)) {
    throw ArgumentError(fmt::format("{} ({}) does not learn from labelled examples",
                                    architecture_of(head, trained_family(config)), head.about));
  }
  if (!head.losses.contains(options.loss)) {
    throw ArgumentError(fmt::format("{} ({}) is not trained with {}",
                                    architecture_of(head, trained_family(config)), head.about,
                                    name_of(options.loss)));
  }
  if (!options.class_weights.empty() && (!classes || !by_label)) {
    throw ArgumentError(
        "class weights belong to cross entropy over labels (of sequences or tokens)");
  }
  const auto labels = static_cast<std::size_t>(columns_of(config, head));
  if (!options.class_weights.empty() && options.class_weights.size() != labels) {
    throw ArgumentError(fmt::format("{} class weights for {} labels: give one for each",
                                    options.class_weights.size(), labels));
  }
  for (const float weight : options.class_weights) {
    if (!(weight >= 0) || !std::isfinite(weight)) {
      throw ArgumentError(fmt::format("a class weight of {}: give finite numbers from 0", weight));
    }
  }
  if (!(options.label_smoothing >= 0 && options.label_smoothing < 1)) {
    throw ArgumentError(fmt::format("label smoothing of {}: give a share from 0, less than 1",
                                    options.label_smoothing));
  }
  if (options.label_smoothing > 0 && !classes) {
    throw ArgumentError("label smoothing belongs to cross entropy: this task has another loss");
  }
}

/// The values of `weights`, but for the head's, where they are missing, of another shape or not
/// wanted: then BERT's initialisation.
class WeightsWithHead final : public WeightSource {
 public:
  WeightsWithHead(WeightSource& weights, const BertConfig& config, const HeadKind& head,
                  std::uint64_t seed, bool fresh_head)
      : weights_(weights),
        random_(config, seed),
        pooler_(pooler_shape(config).name + "."),
        fresh_(fresh_head) {
    const auto* layer = layer_of(head);
    if (layer == nullptr) return;
    classifier_ = std::string(layer->name) + ".";
    if (fresh_) return;
    // A head that lacks one of its two tensors is made anew as a whole.
    const std::int64_t outputs = outputs_of(*layer, config);
    fresh_ = !has(classifier_ + "weight", {outputs, config.hidden_size}) ||
             !has(classifier_ + "bias", {outputs});
  }

  [[nodiscard]] bool contains(const std::string& name) const override {
    return weights_.contains(name) || is_head(name);
  }

  [[nodiscard]] Tensor take(const std::string& name, const Shape& shape) override {
    const bool own = is_classifier(name) ? !fresh_ : !is_head(name) || has(name, shape);
    if (own) return weights_.take(name, shape);
    made_new_ = true;
    return random_.take(name, shape);
  }

  void release(const std::string& name) override {
    if (weights_.contains(name)) weights_.release(name);
  }

  [[nodiscard]] std::string origin() const override { return weights_.origin(); }

  [[nodiscard]] bool made_new() const { return made_new_; }

 private:
  [[nodiscard]] bool is_head(const std::string& name) const {
    return is_classifier(name) || name.starts_with(pooler_);
  }
  [[nodiscard]] bool is_classifier(const std::string& name) const {
    return !classifier_.empty() && name.starts_with(classifier_);
  }

  [[nodiscard]] bool has(const std::string& name, const Shape& shape) {
    if (!weights_.contains(name)) return false;
    const Shape any(shape.size(), -1);
    try {
      return weights_.take(name, any).shape() == shape;
    } catch (const ModelError&) {
      return false;  // of another rank
    }
  }

  WeightSource& weights_;
  RandomWeights random_;
  std::string pooler_, classifier_;  ///< what the names of their tensors begin with
  bool fresh_;
  bool made_new_ = false;
};

}  // namespace

TaskLossSum& TaskLossSum::operator+=(const TaskLossSum& other) {
  sum += other.sum;
  weight += other.weight;
  labelled += other.labelled;
  correct += other.correct;
  return *this;
}

std::vector<std::int64_t> rows_of_units(const HeadKind& head, const TaskBatch& batch) {
  const auto& inputs = batch.inputs;
  if (head.unit == HeadUnit::choice) return {batch.choices.begin(), batch.choices.end()};
  if (head.unit == HeadUnit::pair) {
    std::vector<std::int64_t> pairs(static_cast<std::size_t>(inputs.sequences() / 2), 2);
    return pairs;
  }
  std::vector<std::int64_t> rows(static_cast<std::size_t>(inputs.sequences()), 1);
  if (!row_per_token(head.unit)) return rows;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = inputs.length(static_cast<std::int64_t>(i));
  }
  return rows;
}

struct TaskModel::Parts {
  BertConfig config;
  TaskModelOptions options;
  const HeadKind& head;
  const HeadLayer* layer;  ///< null: sentence vectors
  TrainingWeights weights;
  TrainableEncoder encoder;
  std::optional<TrainablePooler> pooler;
  nn::TrainableLinear classifier;  ///< of `layer`
  ops::Context context;
  bool new_head = false;

  Parts(BertConfig configuration, TaskModelOptions wanted)
      : config(std::move(configuration)),
        options(std::move(wanted)),
        head(*options.head),
        layer(layer_of(head)),
        weights(model_parameters(config, head), options.compute, true, *options.device),
        encoder(config, weights, options.recompute, frozen()),
        context(*options.device) {
    if (layer != nullptr) {
      classifier = weights.linear_f32(linear_shape(*layer, config));
      if (layer->input == HeadInput::pooled) pooler.emplace(weights, config);
    }
    for (auto& parameter : weights.parameters().all()) {
      if (frozen().contains(parameter.name)) parameter.rate = 0;
    }
  }

  /// The tokens that the head looks at: with a pooler the first ones; for the loss of a head for
  /// tokens those that have a label.
  [[nodiscard]] TokenSelection selection(const TaskBatch& batch, bool labelled_alone) const {
    if (pooler) return TokenSelection::first_tokens(batch.inputs);
    if (head.unit != HeadUnit::token || !labelled_alone) return {};
    std::vector<std::int32_t> labelled;
    for (std::size_t i = 0; i < batch.labels.size(); ++i) {
      if (batch.labels[i] != kIgnoredLabel) labelled.push_back(static_cast<std::int32_t>(i));
    }
    return TokenSelection::of(batch.inputs, labelled, false);
  }

  [[nodiscard]] FrozenPart frozen() const {
    return {.embeddings = options.freeze_embeddings, .layers = options.freeze_layers};
  }

  /// The head's input and what its backward needs.
  struct HeadForward {
    TrainablePooler::Forward pooled;
    ops::Matrix input;  ///< what the classifier got: [sequences or tokens, hidden] f32
    ops::Matrix logits;
    ops::Dropout dropout;
  };

  /// `hidden`: the last hidden states of the tokens `selected`.
  [[nodiscard]] HeadForward forward_head(ops::ConstMatrix hidden, const Batch& batch,
                                         const TokenSelection& selected, const DropoutKey& key) {
    HeadForward forward;
    if (layer == nullptr) {
      auto in_f32 = context.matrix(DType::f32, hidden.rows, hidden.cols);
      ops::convert(context, hidden, in_f32);
      forward.logits = context.matrix(DType::f32, batch.sequences(), hidden.cols);
      ops::mean_rows(context, in_f32, batch.cu_seqlens, forward.logits);
      return forward;
    }
    const auto rates = head_dropout(config, head);
    if (layer->dropout) {
      forward.dropout = TrainableEncoder::dropout_at(key, DropoutSite::head, rates.classifier);
    }
    ops::ConstMatrix x = hidden;
    if (pooler) {
      forward.pooled =
          pooler->forward(context, hidden, selected.rows_of_first(batch),
                          TrainableEncoder::dropout_at(key, DropoutSite::head_input, rates.pooler));
      x = forward.pooled.pooled;
    }
    forward.input = context.matrix(DType::f32, x.rows, x.cols);
    ops::apply_dropout(context, x, forward.dropout, forward.input);
    forward.logits = head_logits(context, classifier, forward.input);
    return forward;
  }

  /// Logits of the tokens `selected`, without dropout. Called inside a Computation.
  [[nodiscard]] ops::Matrix infer(const TaskBatch& batch, const TokenSelection& selected) {
    const DropoutKey none{.active = false};
    context.begin();
    const auto hidden = encoder.forward(context, batch.inputs, none, false, selected);
    return forward_head(hidden, batch.inputs, selected, none).logits;
  }

  /// From the gradient of the logits to d_hidden f32, like the hidden states, which need not be
  /// zero.
  void backward_head(const HeadForward& forward, const Batch& batch, ops::ConstMatrix d_logits,
                     ops::Matrix d_hidden) {
    if (layer == nullptr) {
      ops::mean_rows_backward(context, d_logits, batch.cu_seqlens, d_hidden);
      return;
    }
    if (!pooler) {
      head_logits_backward(context, classifier, forward.input, d_logits, d_hidden);
      ops::apply_dropout(context, d_hidden, forward.dropout, d_hidden);
      return;
    }
    head_logits_backward(context, classifier, forward.input, d_logits, forward.input);
    ops::apply_dropout(context, forward.input, forward.dropout, forward.input);
    ops::fill_zero(context, d_hidden);
    pooler->backward(context, forward.pooled, forward.input, d_hidden);
  }

  void require_labels(const TaskBatch& batch) const {
    const std::int64_t sequences = batch.inputs.sequences();
    const std::int64_t rows = row_per_token(head.unit) ? batch.inputs.total_tokens() : sequences;
    switch (head.unit) {
      case HeadUnit::pair:
        if (sequences % 2 != 0) {
          throw ArgumentError(fmt::format("{} texts are not pairs", sequences));
        }
        if (options.loss == TaskLoss::cosine_error) {
          require_count(batch.targets.size(), sequences / 2, "targets");
        }
        return;
      case HeadUnit::span:
        require_count(batch.start_positions.size(), sequences, "start positions");
        require_count(batch.end_positions.size(), sequences, "end positions");
        return;
      case HeadUnit::choice:
        require_choices(batch);
        require_count(batch.labels.size(), static_cast<std::int64_t>(batch.choices.size()),
                      "labels");
        return;
      case HeadUnit::sequence:
      case HeadUnit::token:
      case HeadUnit::position:
        break;
    }
    if (options.loss == TaskLoss::cross_entropy) {
      require_count(batch.labels.size(), rows, "labels");
    } else {
      require_count(batch.targets.size(), rows * classifier.weight.rows, "targets");
    }
  }

  /// The parts of a loss, which the device may still be computing.
  using Losses = std::vector<ops::Pending<ops::LossSum>>;

  [[nodiscard]] static TaskLossSum sum_of(const Losses& losses) {
    TaskLossSum sum;
    for (const auto& pending : losses) {
      const auto loss = pending.get();
      sum += {loss.sum, loss.weight, loss.labelled, loss.correct};
    }
    return sum;
  }

  /// Loss of the logits (a token head's are those of the tokens `selected`); its gradient takes
  /// their place if `wanted`.
  [[nodiscard]] Losses loss_of(const TaskBatch& batch, const TokenSelection& selected,
                               ops::Matrix logits, double scale, bool wanted) {
    const ops::LossGradient gradient{scale, wanted ? logits : ops::Matrix{}};
    switch (head.unit) {
      case HeadUnit::span: {
        const auto& ends = batch.inputs.cu_seqlens;
        const double smoothing = options.label_smoothing;
        return {ops::segment_cross_entropy(context, logits,
                                           {0, ends, batch.start_positions, smoothing}, gradient),
                ops::segment_cross_entropy(context, logits,
                                           {1, ends, batch.end_positions, smoothing}, gradient)};
      }
      case HeadUnit::choice:
        return {ops::segment_cross_entropy(
            context, logits, {0, choice_segments(batch), batch.labels, options.label_smoothing},
            gradient)};
      case HeadUnit::pair: {
        // A row a text, of whose every pair the loss is: the host computes it.
        ops::HostMatrix vectors(context, logits);
        const auto d_vectors = wanted ? vectors.matrix() : ops::Matrix{};
        const auto loss = options.loss == TaskLoss::cosine_error
                              ? cosine_error(vectors.matrix(), batch.targets, scale, d_vectors)
                              : in_batch_negatives(vectors.matrix(), scale, d_vectors);
        if (wanted) vectors.store();
        return {loss};
      }
      case HeadUnit::sequence:
      case HeadUnit::token:
      case HeadUnit::position:
        break;
    }
    switch (options.loss) {
      case TaskLoss::binary_cross_entropy:
        return {ops::binary_cross_entropy(context, logits, batch.targets, gradient)};
      case TaskLoss::mean_squared_error:
        return {ops::squared_error(context, logits, batch.targets, gradient)};
      case TaskLoss::in_batch_negatives:
      case TaskLoss::cosine_error:
      case TaskLoss::cross_entropy:
        break;
    }
    std::vector<std::int32_t> some;
    std::span<const std::int32_t> labels = batch.labels;
    if (head.unit == HeadUnit::token && !selected.all()) {
      for (const auto token : selected.tokens()) {
        some.push_back(batch.labels[static_cast<std::size_t>(token)]);
      }
      labels = some;
    }
    return {ops::class_cross_entropy(
        context, logits, labels,
        {.class_weights = options.class_weights, .smoothing = options.label_smoothing}, gradient)};
  }
};

TaskModel::TaskModel(BertConfig config, WeightSource& weights, const TaskModelOptions& options,
                     std::uint64_t seed, bool fresh_head) {
  config.validate();
  require_options(config, options);
  WeightsWithHead source(weights, config, *options.head, seed, fresh_head);
  parts_ = std::make_unique<Parts>(std::move(config), options);
  parameters().load(source);
  parts_->new_head = source.made_new();
  parameters_changed();
}

TaskModel::TaskModel(TaskModel&&) noexcept = default;
TaskModel& TaskModel::operator=(TaskModel&&) noexcept = default;
TaskModel::~TaskModel() = default;

const BertConfig& TaskModel::config() const { return parts_->config; }
const TaskModelOptions& TaskModel::options() const { return parts_->options; }
Parameters& TaskModel::parameters() { return parts_->weights.parameters(); }
bool TaskModel::has_new_head() const { return parts_->new_head; }
void TaskModel::parameters_changed() { parts_->weights.refresh(); }

double TaskModel::weight(const TaskBatch& batch) const {
  parts_->require_labels(batch);
  const auto unit = parts_->head.unit;
  if (unit == HeadUnit::pair) {
    const std::int64_t pairs = batch.inputs.sequences() / 2;
    return static_cast<double>(pairs);
  }
  if (unit == HeadUnit::span) return 2 * static_cast<double>(batch.inputs.sequences());
  if (options().loss != TaskLoss::cross_entropy) return static_cast<double>(batch.targets.size());
  if (unit == HeadUnit::choice) return static_cast<double>(batch.choices.size());
  double weight = 0;
  const auto& weights = options().class_weights;
  for (const auto label : batch.labels) {
    if (label == kIgnoredLabel) continue;
    if (label < 0 || label >= parts_->classifier.weight.rows) {
      throw ArgumentError(
          fmt::format("label {} of a model with {}", label, parts_->classifier.weight.rows));
    }
    weight += weights.empty() ? 1.0 : weights[static_cast<std::size_t>(label)];
  }
  return weight;
}

TaskLossSum TaskModel::forward_backward(const TaskBatch& batch, const TaskPass& pass) {
  auto& parts = *parts_;
  auto& context = parts.context;
  parts.require_labels(batch);
  if (batch.inputs.total_tokens() == 0) return {};
  const Computation computation;
  context.begin();
  if (pass.profile != nullptr) context.start_profile();
  const DropoutKey key{.seed = pass.seed, .pass = pass.pass, .active = pass.dropout};
  const auto selected = parts.selection(batch, true);
  const auto hidden = parts.encoder.forward(context, batch.inputs, key, true, selected);
  const auto head = parts.forward_head(hidden, batch.inputs, selected, key);
  const auto losses = parts.loss_of(batch, selected, head.logits, pass.scale, true);
  const auto d_hidden = context.matrix(DType::f32, hidden.rows, hidden.cols);
  parts.backward_head(head, batch.inputs, head.logits, d_hidden);
  parts.encoder.backward(context, batch.inputs, d_hidden);
  if (pass.profile != nullptr) {
    for (const auto& cost : context.take_profile()) accumulate(*pass.profile, cost);
  }
  return Parts::sum_of(losses);
}

TaskLossSum TaskModel::evaluate(const TaskBatch& batch) {
  parts_->require_labels(batch);
  if (batch.inputs.total_tokens() == 0) return {};
  const Computation computation;
  const auto selected = parts_->selection(batch, true);
  return Parts::sum_of(parts_->loss_of(batch, selected, parts_->infer(batch, selected), 1, false));
}

Tensor TaskModel::predict(const TaskBatch& batch, TaskLossSum* loss) {
  auto& parts = *parts_;
  if (loss != nullptr) {
    parts.require_labels(batch);
    *loss = {};
  }
  if (batch.inputs.total_tokens() == 0) {
    return Tensor::zeros(DType::f32, {0, columns_of(parts.config, parts.head)});
  }
  const Computation computation;
  const auto selected = parts.selection(batch, false);
  const auto logits = parts.infer(batch, selected);
  if (loss != nullptr) *loss = Parts::sum_of(parts.loss_of(batch, selected, logits, 1, false));
  return to_tensor(parts.context, logits);
}

std::size_t TaskModel::activation_bytes() const { return parts_->context.capacity(); }

}  // namespace cloze::internal
