#include "train/finetune/finetune_objective.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bert/stored_model.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/io/atomic_file.h"
#include "core/random_stream.h"
#include "core/strings.h"
#include "train/finetune/finetune_log.h"
#include "train/finetune/model_card.h"
#include "train/finetune/task_data.h"
#include "train/run/run_setup.h"

namespace cloze {
namespace {

constexpr std::string_view kLoss = "loss";

/// NaN where nothing was counted.
double mean_of(const internal::TaskLossSum& loss) {
  return loss.weight == 0 ? std::numeric_limits<double>::quiet_NaN() : loss.loss();
}

class FinetuneObjective final : public internal::Objective {
 public:
  FinetuneObjective(FinetuneInputs& inputs, const RunDirectory& directory,
                    const FinetuneSettings& settings, const FinetuneCallbacks& callbacks)
      : inputs_(inputs),
        settings_(settings),
        callbacks_(callbacks),
        per_epoch_(steps_per_epoch(inputs.train.size(), settings)),
        steps_(total_steps(inputs.train.size(), settings)),
        directory_(directory),
        evaluation_data_(inputs.dev == nullptr ? 0 : fingerprint_of(*inputs.dev)) {}

  [[nodiscard]] FinetuneResult result(bool finished) const {
    FinetuneResult result;
    result.finished = finished;
    result.stopped_early = state_.stopped_early;
    result.epochs = epoch();
    result.steps = state_.step;
    result.tokens = state_.tokens;
    result.seconds = state_.seconds;
    result.evaluations = state_.evaluations;
    result.details = state_.best_details;
    result.details_json = state_.best_details_json;
    return result;
  }

  [[nodiscard]] internal::Parameters& parameters() override { return inputs_.model.parameters(); }
  [[nodiscard]] std::string_view sparse_table() const override {
    return "bert.embeddings.word_embeddings.weight";
  }
  void parameters_changed() override { inputs_.model.parameters_changed(); }

  void save_model(const std::filesystem::path& to) const override {
    inputs_.model.config().save_pretrained(to);
    inputs_.tokenizer.save_pretrained(to);
    save_checkpoint(to,
                    internal::named_for(inputs_.model.parameters().tensors(),
                                        inputs_.model.config(), *inputs_.model.options().head),
                    inputs_.max_shard_bytes);
    write_files(to);
    write_card(to);
  }
  /// The card of the whole run, and what else a directory of the task's models has.
  void published(const std::filesystem::path& directory) const override {
    write_card(directory);
    write_files(directory);
  }

  [[nodiscard]] internal::RunState& state() override { return state_; }
  [[nodiscard]] std::string state_json() const override { return state_.to_json(); }
  void restore(std::string_view json, const std::string& origin) override {
    state_ = FinetuneState::from_json(json, origin);
    if (inputs_.dev == nullptr || state_.evaluations.empty()) return;
    if (state_.evaluated_on.value_or(evaluation_data_) == evaluation_data_) return;
    state_.evaluations.clear();  // figures of other data do not compare
    state_.stopped_early = false;
    forget_best("the dev set is not what it was, and evaluations on the earlier one are left out");
  }

  [[nodiscard]] double progress() const override {
    return static_cast<double>(state_.step) / static_cast<double>(steps_);
  }
  [[nodiscard]] bool stopped_early() const override { return state_.stopped_early; }

  internal::StepPass forward_backward(Optimizer& optimizer) override {
    std::vector<internal::TaskBatch> batches;
    double weight = 0;
    for (const auto& units :
         divide_by_tokens(inputs_.train, units_of_step(), settings_.batch_tokens)) {
      batches.push_back(inputs_.train.batch(units));
      weight += inputs_.model.weight(batches.back());
    }
    loss_ = {};
    pass_ = state_.passes;
    std::int64_t tokens = 0;
    for (const auto& batch : batches) {
      optimizer.read(batch.inputs.input_ids);
      loss_ += inputs_.model.forward_backward(batch, {.scale = weight > 0 ? 1 / weight : 0,
                                                      .seed = settings_.seed,
                                                      .pass = static_cast<std::uint64_t>(pass_++)});
      tokens += batch.inputs.total_tokens();
    }
    return {.loss = loss_.sum, .tokens = tokens};
  }

  void step_taken() override {
    state_.passes = pass_;
    state_.since_evaluated += loss_;
    window_ += loss_;
  }

  void log(const internal::LoggedStep& step) override {
    const FinetuneStep logged{.step = step.step,
                              .epoch = epoch(),
                              .progress = step.progress,
                              .loss = mean_of(window_),
                              .learning_rate = step.learning_rate,
                              .gradient_norm = step.gradient_norm,
                              .tokens_per_s = step.tokens_per_s,
                              .seconds_left = step.seconds_left};
    events().step(logged);
    if (callbacks_.step) callbacks_.step(logged);
    window_ = {};
  }

  [[nodiscard]] bool can_evaluate() const override {
    return inputs_.dev != nullptr &&
           (state_.evaluations.empty() || state_.evaluations.back().step != state_.step);
  }

  Evaluated evaluate() override {
    internal::TaskLossSum loss;
    const auto logits = predict_units(inputs_.model, *inputs_.dev, settings_.batch_tokens, &loss,
                                      callbacks_.progress);
    auto report = inputs_.dev->evaluate(logits);
    FinetuneEvaluation evaluation{.step = state_.step,
                                  .epoch = epoch(),
                                  .train_loss = mean_of(state_.since_evaluated),
                                  .loss = mean_of(loss),
                                  .metrics = std::move(report.metrics)};
    evaluation.best = is_better(evaluation);
    state_.since_evaluated = {};
    state_.without_better = evaluation.best ? 0 : state_.without_better + 1;
    if (evaluation.best) {
      state_.best_details = std::move(report.details);
      state_.best_details_json = std::move(report.details_json);
    }
    state_.evaluations.push_back(evaluation);
    state_.evaluated_on = evaluation_data_;
    state_.stopped_early = settings_.patience > 0 && state_.without_better >= settings_.patience &&
                           state_.step < steps_;
    events().evaluation(evaluation);
    if (callbacks_.evaluation) callbacks_.evaluation(evaluation);
    if (state_.stopped_early) {
      internal::tell(callbacks_, MessageKind::note,
                     fmt::format("stopped early: {} evaluations in a row were not better",
                                 state_.without_better));
    }
    return {.best = evaluation.best, .loss = loss.loss()};
  }

  [[nodiscard]] std::int64_t best_step() const override {
    const auto* best = state_.best();
    return best == nullptr ? -1 : best->step;
  }

  void forget_best(const std::string& reason) override {
    for (auto& evaluation : state_.evaluations) evaluation.best = false;
    state_.without_better = 0;
    state_.best_details.clear();
    state_.best_details_json.clear();
    internal::tell(callbacks_, MessageKind::warning, reason + internal::kBestAnew);
  }

 private:
  /// The event file, which is made when there is something to tell.
  FinetuneLog& events() {
    if (!log_) {
      directory_.begin();
      log_.emplace(directory_.tensorboard(), inputs_, settings_);
      directory_.add_file(log_->file());
    }
    return *log_;
  }

  [[nodiscard]] double epoch() const {
    return static_cast<double>(state_.step) / static_cast<double>(per_epoch_);
  }

  /// The units of the step to come: the next of the epoch's shuffled order.
  [[nodiscard]] std::span<const std::size_t> units_of_step() {
    const std::int64_t number = state_.step / per_epoch_, place = state_.step % per_epoch_;
    if (number != shuffled_epoch_) {
      order_.resize(inputs_.train.size());
      std::iota(order_.begin(), order_.end(), std::size_t{0});
      RandomStream random(settings_.seed, static_cast<std::uint64_t>(number));
      random.shuffle(std::span(order_));
      shuffled_epoch_ = number;
    }
    const auto size = static_cast<std::size_t>(settings_.batch_size * settings_.accumulation);
    const std::size_t begin = static_cast<std::size_t>(place) * size;
    return std::span(order_).subspan(begin, std::min(size, order_.size() - begin));
  }

  /// What an evaluation is measured by.
  [[nodiscard]] double value_of(const FinetuneEvaluation& evaluation) const {
    const std::string_view name = metric_name();
    for (const auto& [known, value] : evaluation.metrics) {
      if (known == name) return value;
    }
    if (name == kLoss) return evaluation.loss;
    throw ModelError(
        fmt::format("the evaluation of step {} has no metric {}, which \"best\" goes by",
                    evaluation.step, excerpt(name)));
  }

  [[nodiscard]] std::string_view metric_name() const {
    return settings_.best_metric.empty() ? inputs_.task.best_metric() : settings_.best_metric;
  }

  [[nodiscard]] bool is_better(const FinetuneEvaluation& evaluation) const {
    const auto* best = state_.best();
    const double value = value_of(evaluation);
    if (best == nullptr) return true;
    const double before = value_of(*best);
    if (std::isnan(value) || std::isnan(before)) return std::isnan(before) && !std::isnan(value);
    const std::string_view name = metric_name();
    const bool greater = name != kLoss && inputs_.task.greater_is_better(name);
    return greater ? value > before : value < before;
  }

  /// What the task's models have besides weights and tokenizer, and what the base model said.
  void write_files(const std::filesystem::path& directory) const {
    inputs_.task.write_files(directory);
    if (inputs_.model_settings.empty()) return;
    AtomicFile settings(directory / "config_sentence_transformers.json");
    settings.write(inputs_.model_settings);
    settings.commit();
  }

  void write_card(const std::filesystem::path& directory) const {
    AtomicFile card(directory / "README.md");
    card.write(model_card(inputs_, settings_, state_));
    card.commit();
  }

  FinetuneInputs& inputs_;
  const FinetuneSettings& settings_;
  const FinetuneCallbacks& callbacks_;
  std::int64_t per_epoch_, steps_;
  const RunDirectory& directory_;
  std::optional<FinetuneLog> log_;
  std::uint64_t evaluation_data_;  // fingerprint; 0: there is none
  FinetuneState state_;
  std::vector<std::size_t> order_;
  std::int64_t shuffled_epoch_ = -1;
  // Of the step that is being taken.
  internal::TaskLossSum loss_;
  std::int64_t pass_ = 0;
  internal::TaskLossSum window_;  // since the last logged step
};

internal::LoopSettings course_of(const FinetuneInputs& inputs, const FinetuneSettings& settings) {
  return {.learning_rate = settings.learning_rate,
          .schedule = settings.schedule,
          .warmup = warmup_share(settings, total_steps(inputs.train.size(), settings)),
          .optimizer = settings.optimizer,
          .log_every = settings.log_every,
          .evaluate_every = settings.evaluate_every > 0
                                ? settings.evaluate_every
                                : steps_per_epoch(inputs.train.size(), settings),
          .save_every = settings.save_every,
          .save_with_evaluations = settings.save_every == 0,
          .keep = settings.keep};
}

}  // namespace

const FinetuneEvaluation* FinetuneResult::best() const& {
  for (std::size_t i = evaluations.size(); i-- > 0;) {
    if (evaluations[i].best) return &evaluations[i];
  }
  return nullptr;
}

std::int64_t steps_per_epoch(std::size_t units, const FinetuneSettings& settings) {
  const std::int64_t size = settings.batch_size * settings.accumulation;
  return (static_cast<std::int64_t>(units) + size - 1) / size;
}

std::int64_t total_steps(std::size_t units, const FinetuneSettings& settings) {
  if (settings.steps > 0) return settings.steps;
  const auto each = static_cast<double>(steps_per_epoch(units, settings));
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil(std::min(settings.epochs * each, 1e15))));
}

void set_layer_rates(internal::Parameters& parameters, std::int64_t layers, double decay) {
  std::vector<double> rates(static_cast<std::size_t>(layers + 1), 1.0);  // embeddings, layers
  for (std::int64_t i = layers; i >= 0; --i) {
    rates[static_cast<std::size_t>(i)] = std::pow(decay, static_cast<double>(layers + 1 - i));
  }
  for (auto& parameter : parameters.all()) {
    if (parameter.rate == 0) continue;
    parameter.rate = 1;
    if (parameter.name.starts_with("bert.embeddings")) parameter.rate = rates.front();
    for (std::int64_t i = 0; i < layers; ++i) {
      if (parameter.name.starts_with(fmt::format("bert.encoder.layer.{}.", i))) {
        parameter.rate = rates[static_cast<std::size_t>(i + 1)];
      }
    }
  }
}

void require_runnable(const FinetuneInputs& inputs, const FinetuneSettings& settings) {
  if (inputs.dev != nullptr && !settings.best_metric.empty() && settings.best_metric != kLoss) {
    const auto names = inputs.dev->metric_names();
    if (std::find(names.begin(), names.end(), settings.best_metric) == names.end()) {
      throw ArgumentError(fmt::format("the task {} has no metric {}: it has {}, {}",
                                      inputs.task.name(), excerpt(settings.best_metric),
                                      fmt::join(names, ", "), kLoss));
    }
  }
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw ArgumentError(what);
  };
  require(settings.steps > 0 || (settings.epochs > 0 && std::isfinite(settings.epochs)),
          "a run needs an end: a number of epochs, or of steps");
  require(settings.batch_size > 0 && settings.accumulation > 0,
          "a step takes at least one example");
  require(settings.layer_decay > 0 && settings.layer_decay <= 1,
          "the layers' decay is a factor above 0, 1 at most");
  require(settings.batch_tokens > 0, "a part of a batch has at least one token");
  require(settings.patience == 0 || inputs.dev != nullptr,
          "to stop early takes data to evaluate on");
  require(inputs.train.size() > 0, "there is no example to train on");
  require(inputs.dev == nullptr || inputs.dev->size() > 0, "there is no example to evaluate on");
  internal::require_valid(course_of(inputs, settings));
}

FinetuneResult run_finetuning(FinetuneInputs inputs, const RunDirectory& directory,
                              const FinetuneSettings& settings,
                              const std::optional<std::filesystem::path>& resume_from,
                              const FinetuneCallbacks& callbacks) {
  require_runnable(inputs, settings);
  set_layer_rates(inputs.model.parameters(), inputs.model.config().num_hidden_layers,
                  settings.layer_decay);
  FinetuneObjective objective(inputs, directory, settings, callbacks);
  internal::Loop loop(objective, directory, course_of(inputs, settings));
  if (resume_from) loop.resume(*resume_from);
  const bool finished = loop.run(callbacks.should_stop);
  return objective.result(finished);
}

}  // namespace cloze
