#include "train/fine_tuner.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <span>

#include <fmt/format.h>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/atomic_file.h"
#include "core/random_stream.h"
#include "train/fine_tune_log.h"
#include "train/model_card.h"
#include "train/task_data.h"
#include "train/training_state.h"

namespace cloze {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr std::string_view kLoss = "loss";

/// One run, from its state on.
class Run {
 public:
  Run(FineTuneInputs& inputs, const RunDirectory& directory, const FineTuneSettings& settings,
      const FineTuneListener& listener)
      : inputs_(inputs),
        directory_(directory),
        settings_(settings),
        listener_(listener),
        per_epoch_(steps_per_epoch(inputs.train.size(), settings)),
        steps_(total_steps(inputs.train.size(), settings)),
        optimizer_(inputs.model.parameters(), settings.optimizer,
                   "bert.embeddings.word_embeddings.weight"),
        log_(directory.tensorboard(), inputs, settings) {}

  void resume(std::int64_t step) {
    const auto [json, origin] =
        load_training_state(directory_, step, inputs_.model.parameters(), optimizer_);
    inputs_.model.parameters_changed();
    state_ = FineTuneState::from_json(json, origin);
    saved_step_ = state_.step;
  }

  FineTuneResult train(const std::function<bool()>& stop) {
    started_ = window_start_ = Clock::now();
    before_ = state_.seconds;
    while (!is_done() && !stop()) {
      step();
      state_.seconds = before_ + seconds_since(started_);
      const bool last = state_.step >= steps_;
      if (state_.step % settings_.log_every == 0 || last) log_step();
      const bool evaluates = is_due(settings_.evaluate_every) || last;
      if (evaluates) evaluate();
      if (settings_.save_every > 0 ? is_due(settings_.save_every) || is_done() : evaluates) save();
    }
    if (saved_step_ != state_.step) save();
    publish();
    return {.state = state_,
            .epochs = static_cast<double>(state_.step) / static_cast<double>(per_epoch_),
            .finished = is_done()};
  }

 private:
  [[nodiscard]] bool is_done() const { return state_.step >= steps_ || state_.stopped_early; }

  /// Whether what happens every so many steps (0: at the end of each epoch) happens now.
  [[nodiscard]] bool is_due(std::int64_t every) const {
    return state_.step % (every > 0 ? every : per_epoch_) == 0;
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

  void step() {
    std::vector<internal::TaskBatch> batches;
    double weight = 0;
    for (const auto& units :
         divide_by_tokens(inputs_.train, units_of_step(), settings_.part_tokens)) {
      batches.push_back(inputs_.train.batch(units));
      weight += inputs_.model.weight(batches.back());
    }
    internal::TaskLossSum loss;
    std::int64_t tokens = 0;
    auto pass = static_cast<std::uint64_t>(state_.passes);
    for (const auto& batch : batches) {
      optimizer_.read(batch.inputs.input_ids);
      loss += inputs_.model.forward_backward(batch, {.scale = weight > 0 ? 1 / weight : 0,
                                                     .seed = settings_.seed,
                                                     .pass = pass++,
                                                     .dropout = settings_.dropout});
      tokens += batch.inputs.total_tokens();
    }
    if (!std::isfinite(loss.sum)) {
      stop_for(fmt::format("the loss of step {} is not finite", state_.step + 1));
    }
    const double progress = static_cast<double>(state_.step) / static_cast<double>(steps_);
    learning_rate_ = settings_.learning_rate *
                     learning_rate_share(settings_.schedule, progress, settings_.warmup);
    const auto taken = optimizer_.step(learning_rate_);
    if (!taken.finite) {
      stop_for(fmt::format("a gradient of step {} is not finite", state_.step + 1));
    }
    gradient_norm_ = taken.gradient_norm;
    state_.passes = static_cast<std::int64_t>(pass);
    ++state_.step;
    state_.tokens += tokens;
    state_.since_evaluated += loss;
    window_ += loss;
    window_tokens_ += tokens;
  }

  /// Nothing has been changed by the step's gradients yet.
  [[noreturn]] void stop_for(const std::string& reason) {
    if (saved_step_ != state_.step) save();
    throw ModelError(
        fmt::format("{}: stopped; the last good state is {}. Lower --learning-rate, or look at the "
                    "data",
                    reason, directory_.checkpoint(state_.step).string()));
  }

  void log_step() {
    const double seconds = seconds_since(window_start_);
    const double done = static_cast<double>(state_.step) / static_cast<double>(steps_);
    const FineTuneStep logged{.step = state_.step,
                              .epoch = epoch(),
                              .progress = done,
                              .loss = window_,
                              .learning_rate = learning_rate_,
                              .gradient_norm = gradient_norm_,
                              .tokens_per_s = static_cast<double>(window_tokens_) / seconds,
                              .seconds_left = state_.seconds * (1 - done) / done};
    log_.step(logged);
    if (listener_.step) listener_.step(logged);
    window_ = {};
    window_tokens_ = 0;
    window_start_ = Clock::now();
  }

  /// What an evaluation is measured by.
  [[nodiscard]] double value_of(const FineTuneEvaluation& evaluation) const {
    const std::string_view name = metric_name();
    for (const auto& [known, value] : evaluation.metrics) {
      if (known == name) return value;
    }
    if (name == kLoss) return evaluation.loss;
    std::string known;
    for (const auto& [each, value] : evaluation.metrics) known += each + ", ";
    throw ArgumentError(fmt::format("the task {} has no metric {}: it has {}{}",
                                    inputs_.task.name(), name, known, kLoss));
  }

  [[nodiscard]] std::string_view metric_name() const {
    return settings_.best_metric.empty() ? inputs_.task.best_metric() : settings_.best_metric;
  }

  [[nodiscard]] bool is_better(const FineTuneEvaluation& evaluation) const {
    const auto* best = state_.best();
    const double value = value_of(evaluation);
    if (best == nullptr) return true;
    const double before = value_of(*best);
    if (std::isnan(value) || std::isnan(before)) return std::isnan(before) && !std::isnan(value);
    const std::string_view name = metric_name();
    const bool greater = name == inputs_.task.best_metric()
                             ? inputs_.task.greater_is_better()
                             : name != kLoss && name.find("error") == std::string_view::npos;
    return greater ? value > before : value < before;
  }

  void evaluate() {
    if (inputs_.dev == nullptr) return;
    if (!state_.evaluations.empty() && state_.evaluations.back().step == state_.step) return;
    const auto start = Clock::now();
    optimizer_.catch_up();
    internal::TaskLossSum loss;
    const auto logits = predict_units(inputs_.model, *inputs_.dev, settings_.part_tokens, &loss,
                                      listener_.progress);
    auto report = inputs_.dev->evaluate(logits);
    FineTuneEvaluation evaluation{.step = state_.step,
                                  .epoch = epoch(),
                                  .train_loss = state_.since_evaluated.loss(),
                                  .loss = loss.loss(),
                                  .metrics = std::move(report.metrics)};
    evaluation.best = is_better(evaluation);
    state_.since_evaluated = {};
    state_.without_better = evaluation.best ? 0 : state_.without_better + 1;
    if (evaluation.best) {
      state_.best_details = std::move(report.details);
      state_.best_details_json = std::move(report.details_json);
    }
    state_.evaluations.push_back(evaluation);
    state_.stopped_early = settings_.patience > 0 && state_.without_better >= settings_.patience &&
                           state_.step < steps_;
    state_.seconds = before_ + seconds_since(started_);
    log_.evaluation(evaluation);
    if (listener_.evaluation) listener_.evaluation(evaluation);
    if (state_.stopped_early) {
      note(fmt::format("stopped early: {} evaluations in a row were not better",
                       state_.without_better));
    }
    window_start_ += Clock::now() - start;
    if (evaluation.best) save();
  }

  void note(const std::string& text) const {
    if (listener_.note) listener_.note(text);
  }

  void save() {
    if (saved_step_ == state_.step) return;
    const auto start = Clock::now();
    optimizer_.catch_up();
    const auto save_model = [&](const std::filesystem::path& to) {
      inputs_.model.config().save_pretrained(to);
      inputs_.tokenizer.save_pretrained(to);
      save_checkpoint(to, inputs_.model.parameters().tensors());
      write_card(to);
    };
    save_training_state(directory_, state_.step, save_model, optimizer_, state_.to_json());
    saved_step_ = state_.step;
    const std::int64_t best = best_step();
    directory_.prune(settings_.keep, std::span(&best, 1));
    window_start_ += Clock::now() - start;
  }

  [[nodiscard]] std::int64_t best_step() const {
    const auto* best = state_.best();
    return best == nullptr ? state_.step : best->step;
  }

  void write_card(const std::filesystem::path& directory) const {
    AtomicFile card(directory / "README.md");
    card.write(model_card(inputs_, settings_, state_));
    card.commit();
  }

  /// The best model into the run's own directory, with the card of the whole run.
  void publish() {
    const bool has_best = std::filesystem::exists(directory_.checkpoint(best_step()));
    directory_.publish(has_best ? best_step() : state_.step);
    write_card(directory_.path());
  }

  FineTuneInputs& inputs_;
  const RunDirectory& directory_;
  const FineTuneSettings& settings_;
  const FineTuneListener& listener_;
  std::int64_t per_epoch_, steps_;
  Optimizer optimizer_;
  FineTuneLog log_;
  FineTuneState state_;
  std::vector<std::size_t> order_;
  std::int64_t shuffled_epoch_ = -1;
  double before_ = 0;  // seconds before this process
  Clock::time_point started_;
  std::int64_t saved_step_ = -1;
  double learning_rate_ = 0, gradient_norm_ = 0;

  // Since the last logged step.
  internal::TaskLossSum window_;
  std::int64_t window_tokens_ = 0;
  Clock::time_point window_start_;
};

void require_settings(const FineTuneInputs& inputs, const FineTuneSettings& settings) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw ArgumentError(what);
  };
  require(settings.steps > 0 || (settings.epochs > 0 && std::isfinite(settings.epochs)),
          "a run needs an end: a number of epochs, or of steps");
  require(settings.batch_size > 0 && settings.accumulation > 0,
          "a step takes at least one example");
  require(settings.learning_rate > 0 && std::isfinite(settings.learning_rate),
          "the learning rate must be positive");
  require(settings.warmup >= 0 && settings.warmup <= 1,
          "the warm-up is a share of the run, 0 to 1");
  require(settings.layer_decay > 0 && settings.layer_decay <= 1,
          "the layers' decay is a factor above 0, 1 at most");
  require(settings.part_tokens > 0, "a part of a batch has at least one token");
  require(settings.log_every > 0, "log_every counts steps, from 1");
  require(settings.keep > 0, "at least one checkpoint is kept");
  require(settings.patience == 0 || inputs.dev != nullptr,
          "to stop early takes data to evaluate on");
  require(inputs.train.size() > 0, "there is no example to train on");
  require(inputs.dev == nullptr || inputs.dev->size() > 0, "there is no example to evaluate on");
}

}  // namespace

std::int64_t steps_per_epoch(std::size_t units, const FineTuneSettings& settings) {
  const std::int64_t size = settings.batch_size * settings.accumulation;
  return (static_cast<std::int64_t>(units) + size - 1) / size;
}

std::int64_t total_steps(std::size_t units, const FineTuneSettings& settings) {
  if (settings.steps > 0) return settings.steps;
  const auto each = static_cast<double>(steps_per_epoch(units, settings));
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(settings.epochs * each)));
}

void set_layer_rates(internal::Parameters& parameters, std::int64_t layers, double decay) {
  std::vector<double> rates(static_cast<std::size_t>(layers + 1), 1.0);  // embeddings, layers
  for (std::int64_t i = layers; i >= 0; --i) {
    rates[static_cast<std::size_t>(i)] = std::pow(decay, static_cast<double>(layers + 1 - i));
  }
  for (auto& parameter : parameters.all()) {
    if (parameter.rate == 0) continue;
    parameter.rate = 1;
    if (parameter.name.starts_with("bert.embeddings.")) parameter.rate = rates.front();
    for (std::int64_t i = 0; i < layers; ++i) {
      if (parameter.name.starts_with(fmt::format("bert.encoder.layer.{}.", i))) {
        parameter.rate = rates[static_cast<std::size_t>(i + 1)];
      }
    }
  }
}

FineTuneResult fine_tune(FineTuneInputs inputs, const RunDirectory& directory,
                         const FineTuneSettings& settings, std::optional<std::int64_t> resume_from,
                         const FineTuneListener& listener, const std::function<bool()>& stop) {
  require_settings(inputs, settings);
  set_layer_rates(inputs.model.parameters(), inputs.model.config().num_hidden_layers,
                  settings.layer_decay);
  Run run(inputs, directory, settings, listener);
  if (resume_from) run.resume(*resume_from);
  return run.train(stop);
}

}  // namespace cloze
