#include "train/pretrain/pretrain_objective.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/fingerprint.h"
#include "ops/product_rates.h"
#include "train/pretrain/pretrain_log.h"
#include "train/run/run_setup.h"

namespace cloze {
namespace {

/// Of what the held-out loss is the mean of: other texts, masks or another order change it.
std::uint64_t fingerprint_of(const std::vector<internal::PretrainingBatch>& batches) {
  Fingerprint sum;
  const auto add = [&](const std::vector<std::int32_t>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    sum.add(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  };
  for (const auto& batch : batches) {
    add(batch.inputs.input_ids);
    add(batch.inputs.cu_seqlens);
    add(batch.masked_positions);
    add(batch.masked_labels);
    add(batch.next_sentence_labels);
  }
  return sum.value();
}

class PretrainObjective final : public internal::Objective {
 public:
  PretrainObjective(PretrainInputs& inputs, const RunDirectory& directory,
                    const PretrainSettings& settings, const PretrainCallbacks& callbacks)
      : inputs_(inputs),
        settings_(settings),
        callbacks_(callbacks),
        directory_(directory),
        evaluation_data_(fingerprint_of(inputs.evaluation)) {}

  [[nodiscard]] PretrainResult result(bool finished) const {
    return {.finished = finished,
            .steps = state_.step,
            .tokens = state_.tokens,
            .seconds = state_.seconds,
            .last = state_.evaluation,
            .training = state_.logged,
            .best_step = state_.best_step,
            .best_loss = state_.best_loss};
  }

  [[nodiscard]] internal::Parameters& parameters() override { return inputs_.model.parameters(); }
  void parameters_changed() override { inputs_.model.parameters_changed(); }
  void save_model(const std::filesystem::path& to) const override {
    save_pretrained_model(inputs_.model, inputs_.tokenizer, to, inputs_.max_shard_bytes);
  }

  [[nodiscard]] internal::RunState& state() override { return state_; }
  [[nodiscard]] std::string state_json() const override { return state_.to_json(); }
  void restore(std::string_view json, const std::string& origin) override {
    state_ = PretrainState::from_json(json, origin);
    if (state_.phase >= inputs_.phases.size()) {
      throw ModelError(fmt::format("{} is in phase {} of a run that has {}", origin,
                                   state_.phase + 1, inputs_.phases.size()));
    }
    evaluated_step_ = state_.step;
    if (!inputs_.evaluation.empty() &&
        state_.evaluated_on.value_or(evaluation_data_) != evaluation_data_) {
      evaluated_step_ = -1;
      state_.evaluation.reset();
      forget_best("the text to evaluate on is not what it was");
    }
    try {
      open_data();
    } catch (const ArgumentError& error) {  // a position that the data do not have
      throw FormatError(fmt::format("{}: {}", origin, error.what()));
    }
  }

  void begin() override {
    if (!data_) open_data();
  }

  /// By steps or by time, whichever is further.
  [[nodiscard]] double progress() const override {
    double share = 0;
    if (settings_.steps > 0) {
      share = static_cast<double>(state_.step) / static_cast<double>(settings_.steps);
    }
    if (settings_.max_seconds > 0) share = std::max(share, state_.seconds / settings_.max_seconds);
    return share;
  }

  internal::StepPass forward_backward(Optimizer& /*optimizer*/) override {
    if (progress() >= inputs_.phases[state_.phase].until) next_phase();
    std::vector<internal::PretrainingBatch> batches(
        static_cast<std::size_t>(settings_.accumulation));
    std::int64_t masked = 0, sequences = 0;
    for (auto& batch : batches) {
      if (!data_->next(batch)) throw ModelError("the training data has come to its end");
      masked += batch.masked();
      sequences += static_cast<std::int64_t>(batch.next_sentence_labels.size());
    }
    internal::StepPass done;
    if (gemm_rate_ <= 0) done.aside = measure();
    const auto one_over = [](std::int64_t count) {
      return count > 0 ? 1.0 / static_cast<double>(count) : 0.0;
    };
    loss_ = {};
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const auto pass = static_cast<std::uint64_t>(state_.step * settings_.accumulation) + i;
      loss_ +=
          inputs_.model.forward_backward(batches[i], {.masked_lm_scale = one_over(masked),
                                                      .next_sentence_scale = one_over(sequences),
                                                      .seed = settings_.seed,
                                                      .pass = pass});
      operations_ += inputs_.model.operations(batches[i]);
      done.tokens += batches[i].inputs.total_tokens();
    }
    done.loss = loss_.loss();
    return done;
  }

  /// Objects to a loss that leaps above its moving average.
  [[nodiscard]] std::string objection(double loss) override {
    constexpr double kWeight = 0.02;
    constexpr std::int64_t kSettled = 50;  // steps before the average means something
    if (settings_.loss_spike > 0 && state_.step >= kSettled &&
        loss > settings_.loss_spike * state_.average_loss) {
      return fmt::format("the loss of step {} leapt to {:.3f} from an average of {:.3f}",
                         state_.step + 1, loss, state_.average_loss);
    }
    state_.average_loss =
        state_.step == 0 ? loss : (1 - kWeight) * state_.average_loss + kWeight * loss;
    return "";
  }

  void gradients_computed() override {
    const std::int64_t every = settings_.evaluate_every;
    if (every > 0 && (state_.step + 1) % every == 0) {
      events().histograms(inputs_.model.parameters(), true, state_.step + 1);
    }
  }

  void step_taken() override {
    state_.position = data_->position();
    window_ += loss_;
  }

  [[nodiscard]] std::string place() const override {
    return fmt::format(" after epoch {}, unit {}, sequence {}", state_.position.epoch,
                       state_.position.unit, state_.position.sequence);
  }

  void log(const internal::LoggedStep& step) override {
    const double waited = data_->cost().waited_seconds;
    const PretrainStep logged{.step = step.step,
                              .progress = step.progress,
                              .metrics = metrics_of(window_),
                              .learning_rate = step.learning_rate,
                              .gradient_norm = step.gradient_norm,
                              .tokens_per_s = step.tokens_per_s,
                              .gemm_share = operations_ / step.seconds / 1e9 / gemm_rate_,
                              .waited_share = std::max(0.0, waited - waited_) / step.seconds,
                              .seconds_left = step.seconds_left,
                              .tokens = state_.tokens};
    events().step(logged);
    if (callbacks_.step) callbacks_.step(logged);
    state_.logged = logged.metrics;
    window_ = {};
    operations_ = 0;
    waited_ = waited;
  }

  [[nodiscard]] bool can_evaluate() const override {
    return !inputs_.evaluation.empty() && evaluated_step_ != state_.step;
  }

  Evaluated evaluate() override {
    internal::PretrainingLoss loss;
    for (const auto& batch : inputs_.evaluation) loss += inputs_.model.evaluate(batch);
    const double total = loss.loss();
    PretrainEvaluation evaluation{.step = state_.step, .metrics = metrics_of(loss)};
    // Any loss is better than one that is no number.
    evaluation.best = state_.best_step < 0 || total < state_.best_loss ||
                      (std::isnan(state_.best_loss) && !std::isnan(total));
    if (evaluation.best) {
      state_.best_step = state_.step;
      state_.best_loss = total;
    }
    events().evaluation(evaluation);
    events().histograms(inputs_.model.parameters(), false, state_.step);
    events().fill_masks(inputs_.model, inputs_.tokenizer, inputs_.evaluation.front(), state_.step);
    if (callbacks_.evaluation) callbacks_.evaluation(evaluation);
    state_.evaluation = evaluation;
    state_.evaluated_on = evaluation_data_;
    evaluated_step_ = state_.step;
    return {.best = evaluation.best, .loss = total};
  }

  [[nodiscard]] std::int64_t best_step() const override { return state_.best_step; }

  void forget_best(const std::string& reason) override {
    state_.best_step = -1;
    state_.best_loss = 0;
    internal::tell(callbacks_, MessageKind::warning, reason + internal::kBestAnew);
  }

 private:
  /// The event file, which is made when there is something to tell.
  PretrainLog& events() {
    if (!log_) {
      directory_.begin();
      log_.emplace(directory_.tensorboard(), inputs_, settings_);
      directory_.add_file(log_->file());
    }
    return *log_;
  }

  void open_data() {
    data_ = std::make_unique<PretrainingData>(inputs_.corpus, inputs_.tokenizer,
                                              inputs_.phases[state_.phase].data, state_.position);
  }

  void next_phase() {
    const auto epoch = data_->position().epoch + 1;
    while (progress() >= inputs_.phases[state_.phase].until) ++state_.phase;
    state_.position = {.epoch = epoch};
    internal::tell(callbacks_, MessageKind::note,
                   fmt::format("from step {} on sequences have up to {} tokens", state_.step,
                               inputs_.phases[state_.phase].data.max_length));
    open_data();
  }

  /// The machine's own rate, before the first step. Not a part of the training's time: returns what
  /// it took.
  Clock::duration measure() {
    const auto start = Clock::now();
    const auto& options = inputs_.model.options();
    gemm_rate_ = ops::measure_product_rates(*options.device).of(options.compute);
    return Clock::now() - start;
  }

  PretrainInputs& inputs_;
  const PretrainSettings& settings_;
  const PretrainCallbacks& callbacks_;
  const RunDirectory& directory_;
  std::optional<PretrainLog> log_;
  std::uint64_t evaluation_data_;  // fingerprint
  std::unique_ptr<PretrainingData> data_;
  PretrainState state_;
  std::int64_t evaluated_step_ = -1;
  double gemm_rate_ = 0;
  internal::PretrainingLoss loss_;  // of the step that is being taken

  // Since the last logged step.
  internal::PretrainingLoss window_;
  double operations_ = 0, waited_ = 0;
};

internal::LoopSettings course_of(const PretrainSettings& settings) {
  return {.learning_rate = settings.learning_rate,
          .schedule = settings.schedule,
          .warmup = warmup_share(settings, settings.steps),
          .optimizer = settings.optimizer,
          .log_every = settings.log_every,
          .evaluate_every = settings.evaluate_every,
          .save_every = settings.save_every,
          .save_every_seconds = 60 * settings.save_every_minutes,
          .publish_with_saves = true,
          .limited_by_time = settings.max_seconds > 0,
          .keep = settings.keep};
}

}  // namespace

double PretrainMetrics::perplexity() const { return std::exp(masked_lm_loss); }

PretrainMetrics metrics_of(const internal::PretrainingLoss& loss) {
  return {.masked_lm_loss = loss.masked_lm_loss(),
          .masked = loss.masked,
          .masked_correct = loss.masked_correct,
          .next_sentence_loss = loss.next_sentence_loss(),
          .sequences = loss.sequences,
          .next_sentence_correct = loss.next_sentence_correct};
}

void require_runnable(const PretrainSettings& settings) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw ArgumentError(what);
  };
  require(settings.steps > 0 || settings.max_seconds > 0,
          "a run needs an end: a number of steps, a time, or both");
  internal::require_usable(settings);
  constexpr std::int64_t kLongest = 1 << 16, kMost = std::int64_t{1} << 40;
  internal::require_count("vocab-size", settings.vocab_size, 0, 1 << 24);
  internal::require_count("evaluation-sequences", settings.evaluation_sequences, 0, kMost);
  internal::require_count("max-predictions", settings.max_predictions, 0, 1 << 20);
  internal::require_count("duplicate-factor", settings.duplicate_factor, 0, 1 << 20);
  internal::require_count("max-length", settings.max_length, 8, kLongest);
  internal::require_count("long-length", settings.long_length, 8, kLongest);
  internal::require_count("batch-tokens", settings.batch_tokens, 8, std::int64_t{1} << 30);
  internal::require_count("batch-sequences", settings.batch_sequences, 0, 1 << 24);
  internal::require_count("accumulation", settings.accumulation, 1, 1 << 20);
  internal::require_count("data-workers", settings.data_workers, 0, 1024);
  internal::require_count("steps", settings.steps, 0, kMost);
  internal::require_in_range("max-time", settings.max_seconds, 0.0, kLongestRun);
  internal::require_in_range("save-every-minutes", settings.save_every_minutes, 0.0, 1e9);
  internal::require_in_range("held-out", settings.held_out, 0.0, 0.5);
  internal::require_in_range("masked", settings.mlm_probability, 0.0, 0.9);
  internal::require_in_range("short-sequences", settings.short_sequences, 0.0, 1.0);
  internal::require_in_range("long-share", settings.long_share, 0.0, 1.0);
  internal::require_in_range("loss-spike", settings.loss_spike, 0.0, 1e30);
  internal::require_valid(course_of(settings));
}

PretrainResult run_pretraining(PretrainInputs inputs, const RunDirectory& directory,
                               const PretrainSettings& settings,
                               const std::optional<std::filesystem::path>& resume_from,
                               const PretrainCallbacks& callbacks) {
  require_runnable(settings);
  if (inputs.phases.empty() || inputs.phases.back().until < 1) {
    throw ArgumentError("the last phase must go to the end of the run");
  }
  for (const auto& phase : inputs.phases) {
    require_fitting(inputs.tokenizer, phase.data, inputs.model.config());
  }
  PretrainObjective objective(inputs, directory, settings, callbacks);
  internal::Loop loop(objective, directory, course_of(settings));
  if (resume_from) loop.resume(*resume_from);
  const bool finished = loop.run(callbacks.should_stop);
  return objective.result(finished);
}

}  // namespace cloze
