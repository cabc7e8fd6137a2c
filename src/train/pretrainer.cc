#include "train/pretrainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "cloze/error.h"
#include "train/matrix_rate.h"
#include "train/pretrain_log.h"
#include "train/training_state.h"

namespace cloze {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// One run, from its state on.
class Run {
 public:
  Run(PretrainInputs& inputs, const RunDirectory& directory, const PretrainSettings& settings,
      const PretrainListener& listener)
      : inputs_(inputs),
        directory_(directory),
        settings_(settings),
        listener_(listener),
        optimizer_(inputs.model.parameters(), settings.optimizer),
        log_(directory.tensorboard(), inputs, settings) {}

  void resume(std::int64_t step) {
    const auto [json, origin] =
        load_training_state(directory_, step, inputs_.model.parameters(), optimizer_);
    inputs_.model.parameters_changed();
    state_ = PretrainState::from_json(json, origin);
    if (state_.phase >= inputs_.phases.size()) {
      throw ModelError(fmt::format("{} is in phase {} of a run that has {}", origin,
                                   state_.phase + 1, inputs_.phases.size()));
    }
    saved_step_ = evaluated_step_ = state_.step;
  }

  PretrainResult train(const std::function<bool()>& stop) {
    started_ = last_save_ = window_start_ = Clock::now();
    before_ = state_.seconds;
    open_data();
    while (progress() < 1 && !stop()) {
      if (progress() >= inputs_.phases[state_.phase].until) next_phase();
      step();
      state_.seconds = before_ + seconds_since(started_);
      const bool last = progress() >= 1;
      if (state_.step % settings_.log_every == 0 || last) log_step();
      const bool due = settings_.evaluate_every > 0 && state_.step % settings_.evaluate_every == 0;
      if (due || last) evaluate();
      if (is_time_to_save() || last) save();
    }
    if (saved_step_ != state_.step) save();
    PretrainResult result{.steps = state_.step,
                          .tokens = state_.tokens,
                          .seconds = state_.seconds,
                          .finished = progress() >= 1,
                          .last = inputs_.evaluation.empty() ? logged_ : evaluated_,
                          .best_step = state_.best_step,
                          .best_loss = state_.best_loss};
    return result;
  }

 private:
  /// Share of the run that is done, by steps or by time, whichever is further.
  [[nodiscard]] double progress() const {
    double share = 0;
    if (settings_.steps > 0) {
      share = static_cast<double>(state_.step) / static_cast<double>(settings_.steps);
    }
    if (settings_.max_seconds > 0) share = std::max(share, state_.seconds / settings_.max_seconds);
    return share;
  }

  void open_data() {
    data_ = std::make_unique<PretrainingData>(inputs_.corpus, inputs_.tokenizer,
                                              inputs_.phases[state_.phase].data, state_.position);
  }

  void next_phase() {
    const auto epoch = data_->position().epoch + 1;
    while (progress() >= inputs_.phases[state_.phase].until) ++state_.phase;
    state_.position = {.epoch = epoch};
    note(fmt::format("from step {} on sequences have up to {} tokens", state_.step,
                     inputs_.phases[state_.phase].data.max_length));
    open_data();
    gemm_rate_ = 0;
  }

  void note(const std::string& text) const {
    if (listener_.note) listener_.note(text);
  }

  void step() {
    std::vector<internal::PretrainingBatch> batches(
        static_cast<std::size_t>(settings_.accumulation));
    std::int64_t masked = 0, sequences = 0;
    for (auto& batch : batches) {
      if (!data_->next(batch)) throw ModelError("the training data has come to its end");
      masked += batch.masked();
      sequences += static_cast<std::int64_t>(batch.next_sentence_labels.size());
    }
    if (gemm_rate_ <= 0) measure(batches.front());
    const auto one_over = [](std::int64_t count) {
      return count > 0 ? 1.0 / static_cast<double>(count) : 0.0;
    };
    internal::PretrainingLoss loss;
    std::int64_t tokens = 0;
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const auto pass = static_cast<std::uint64_t>(state_.step * settings_.accumulation) + i;
      loss +=
          inputs_.model.forward_backward(batches[i], {.masked_lm_scale = one_over(masked),
                                                      .next_sentence_scale = one_over(sequences),
                                                      .seed = settings_.seed,
                                                      .pass = pass,
                                                      .dropout = settings_.dropout});
      operations_ += inputs_.model.operations(batches[i]);
      tokens += batches[i].inputs.total_tokens();
    }
    guard(loss.loss());
    const int every = settings_.histogram_every > 0 ? static_cast<int>(settings_.histogram_every)
                                                    : static_cast<int>(settings_.evaluate_every);
    if (every > 0 && (state_.step + 1) % every == 0) {
      log_.histograms(inputs_.model.parameters(), true, state_.step + 1);
    }
    learning_rate_ = settings_.learning_rate *
                     learning_rate_share(settings_.schedule, progress(), settings_.warmup);
    const auto taken = optimizer_.step(learning_rate_);
    if (!taken.finite) {
      stop_for(fmt::format("a gradient of step {} is not finite", state_.step + 1));
    }
    gradient_norm_ = taken.gradient_norm;
    state_.position = data_->position();
    ++state_.step;
    state_.tokens += tokens;
    window_ += loss;
    window_tokens_ += tokens;
    ++window_steps_;
  }

  /// The machine's own rate on such a batch, when a phase begins: the best of a few tries, because
  /// whatever else the machine does can only lower it. Not a part of the training's time.
  void measure(const internal::PretrainingBatch& batch) {
    constexpr int kTries = 3;
    constexpr double kEnough = 100e9;  // operations of a try: a fraction of a second
    const int repeats =
        static_cast<int>(std::clamp(kEnough / inputs_.model.operations(batch), 1.0, 100.0));
    const auto start = Clock::now();
    for (int i = 0; i < kTries; ++i) {
      gemm_rate_ =
          std::max(gemm_rate_, training_gemm_rate(inputs_.model.config(), batch,
                                                  inputs_.model.options().compute, repeats));
    }
    const auto took = Clock::now() - start;
    started_ += took;
    window_start_ += took;
  }

  /// Stops at a loss that is not finite, or leaps above its moving average. Nothing has been
  /// changed by the step's gradients yet.
  void guard(double loss) {
    constexpr double kWeight = 0.02;
    constexpr std::int64_t kSettled = 50;  // steps before the average means something
    if (!std::isfinite(loss)) {
      stop_for(fmt::format("the loss of step {} is not finite", state_.step + 1));
    }
    if (settings_.loss_spike > 0 && state_.step >= kSettled &&
        loss > settings_.loss_spike * state_.average_loss) {
      stop_for(fmt::format("the loss of step {} leapt to {:.3f} from an average of {:.3f}",
                           state_.step + 1, loss, state_.average_loss));
    }
    state_.average_loss =
        state_.step == 0 ? loss : (1 - kWeight) * state_.average_loss + kWeight * loss;
  }

  [[noreturn]] void stop_for(const std::string& reason) {
    if (saved_step_ != state_.step) save();
    throw ModelError(fmt::format(
        "{}: stopped; the last good state is {}. Lower --learning-rate, or look at the data after "
        "epoch {}, unit {}, sequence {}",
        reason, directory_.checkpoint(state_.step).string(), state_.position.epoch,
        state_.position.unit, state_.position.sequence));
  }

  void log_step() {
    if (window_steps_ == 0) return;
    const double seconds = seconds_since(window_start_);
    const double waited = data_->cost().waited_seconds;
    PretrainStep logged{.step = state_.step,
                        .progress = std::min(progress(), 1.0),
                        .loss = window_,
                        .learning_rate = learning_rate_,
                        .gradient_norm = gradient_norm_,
                        .tokens_per_s = static_cast<double>(window_tokens_) / seconds,
                        .gemm_share = operations_ / seconds / 1e9 / gemm_rate_,
                        .waited_share = std::max(0.0, waited - waited_) / seconds,
                        .seconds_left = 0,
                        .tokens = state_.tokens};
    const double done = progress();
    if (done > 0) logged.seconds_left = state_.seconds * (1 - std::min(done, 1.0)) / done;
    log_.step(logged);
    if (listener_.step) listener_.step(logged);
    logged_ = window_;
    window_ = {};
    window_tokens_ = window_steps_ = 0;
    operations_ = 0;
    waited_ = waited;
    window_start_ = Clock::now();
  }

  void evaluate() {
    if (inputs_.evaluation.empty() || evaluated_step_ == state_.step) return;
    const auto start = Clock::now();
    internal::PretrainingLoss loss;
    for (const auto& batch : inputs_.evaluation) loss += inputs_.model.evaluate(batch);
    const double total = loss.loss();
    PretrainEvaluation evaluation{.step = state_.step, .loss = loss};
    evaluation.best = state_.best_step < 0 || total < state_.best_loss;
    if (evaluation.best) {
      state_.best_step = state_.step;
      state_.best_loss = total;
    }
    log_.evaluation(evaluation);
    log_.histograms(inputs_.model.parameters(), false, state_.step);
    log_.fill_masks(inputs_.model, inputs_.tokenizer, inputs_.evaluation.front(), state_.step);
    if (listener_.evaluation) listener_.evaluation(evaluation);
    evaluated_ = loss;
    evaluated_step_ = state_.step;
    window_start_ += Clock::now() - start;
    if (evaluation.best) save();
  }

  [[nodiscard]] bool is_time_to_save() const {
    const bool steps = settings_.save_every > 0 && state_.step % settings_.save_every == 0;
    const bool seconds = settings_.save_every_seconds > 0 &&
                         seconds_since(last_save_) >= settings_.save_every_seconds;
    return steps || seconds;
  }

  void save() {
    if (saved_step_ == state_.step) return;
    const auto start = Clock::now();
    const auto save_model = [&](const std::filesystem::path& to) {
      save_pretrained_model(inputs_.model, inputs_.tokenizer, to);
    };
    save_training_state(directory_, state_.step, save_model, optimizer_, state_.to_json());
    saved_step_ = state_.step;
    const bool has_best = state_.best_step >= 0;
    directory_.publish(has_best && std::filesystem::exists(directory_.checkpoint(state_.best_step))
                           ? state_.best_step
                           : state_.step);
    directory_.prune(settings_.keep, std::span(&state_.best_step, has_best ? 1U : 0U));
    last_save_ = Clock::now();
    window_start_ += last_save_ - start;
  }

  PretrainInputs& inputs_;
  const RunDirectory& directory_;
  const PretrainSettings& settings_;
  const PretrainListener& listener_;
  Optimizer optimizer_;
  PretrainLog log_;
  std::unique_ptr<PretrainingData> data_;
  PretrainState state_;
  double before_ = 0;  // seconds of training before this process
  Clock::time_point started_, last_save_;
  std::int64_t saved_step_ = -1, evaluated_step_ = -1;
  double learning_rate_ = 0, gradient_norm_ = 0, gemm_rate_ = 0;

  // Since the last logged step.
  internal::PretrainingLoss window_, logged_, evaluated_;
  std::int64_t window_tokens_ = 0, window_steps_ = 0;
  double operations_ = 0, waited_ = 0;
  Clock::time_point window_start_;
};

void require_settings(const PretrainInputs& inputs, const PretrainSettings& settings) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw ArgumentError(what);
  };
  require(settings.steps > 0 || settings.max_seconds > 0,
          "a run needs an end: a number of steps, a time, or both");
  require(settings.accumulation > 0, "a step takes at least one batch");
  require(settings.learning_rate > 0 && std::isfinite(settings.learning_rate),
          "the learning rate must be positive");
  require(settings.warmup >= 0 && settings.warmup <= 1,
          "the warm-up is a share of the run, 0 to 1");
  require(settings.log_every > 0, "log_every counts steps, from 1");
  require(settings.keep > 0, "at least one checkpoint is kept");
  require(!inputs.phases.empty() && inputs.phases.back().until >= 1,
          "the last phase must go to the end of the run");
}

}  // namespace

PretrainResult pretrain(PretrainInputs inputs, const RunDirectory& directory,
                        const PretrainSettings& settings, std::optional<std::int64_t> resume_from,
                        const PretrainListener& listener, const std::function<bool()>& stop) {
  require_settings(inputs, settings);
  for (const auto& phase : inputs.phases) {
    require_fitting(inputs.tokenizer, phase.data, inputs.model.config());
  }
  Run run(inputs, directory, settings, listener);
  if (resume_from) run.resume(*resume_from);
  return run.train(stop);
}

}  // namespace cloze
