#include "train/run/loop.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/strings.h"
#include "train/run/checkpoint_files.h"
#include "train/run/training_state.h"

namespace cloze::internal {
namespace {

constexpr const char* kAdvice = "Lower the learning rate, or look at the data";

bool falls_on(std::int64_t step, std::int64_t every) { return every > 0 && step % every == 0; }

}  // namespace

void require_valid(const LoopSettings& settings) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw ArgumentError(what);
  };
  require(settings.learning_rate > 0 && std::isfinite(settings.learning_rate),
          "the learning rate must be positive");
  require(settings.warmup >= 0 && settings.warmup <= 1,
          "the warm-up is a share of the run, 0 to 1");
  require(settings.log_every > 0, "log_every counts steps, from 1");
  require(settings.evaluate_every >= 0 && settings.save_every >= 0,
          "evaluations and saves are some steps apart: 1 or more, or 0");
  require(settings.save_every_seconds >= 0 && std::isfinite(settings.save_every_seconds),
          "saves are some time apart: more than none, or 0");
  require(settings.keep > 0, "at least one checkpoint is kept");
}

Loop::Loop(Objective& objective, const RunDirectory& directory, const LoopSettings& settings)
    : objective_(objective),
      directory_(directory),
      settings_((require_valid(settings), settings)),
      optimizer_(objective.parameters(), settings.optimizer, objective.sparse_table()) {}

void Loop::resume(const std::filesystem::path& checkpoint) {
  const auto [json, origin] = load_training_state(checkpoint, objective_.parameters(), optimizer_);
  objective_.parameters_changed();
  objective_.restore(json, origin);
  const auto step = objective_.state().step;
  if (optimizer_.steps() != step) {
    throw FormatError(
        fmt::format("{} is of step {}, and the optimizer's state of step {}: they "
                    "are not of one checkpoint",
                    origin, step, optimizer_.steps()));
  }
  saved_ = {checkpoint, step};
  if (checkpoint == directory_.checkpoint(step)) {
    saved_step_ = step;
    whole_.insert(step);
  }
  look_for_best();
}

/// What is best must be there to be published.
void Loop::look_for_best() {
  const auto best = objective_.best_step();
  if (best < 0 || whole_.contains(best)) return;
  const auto place = directory_.checkpoint(best);
  const auto complaint = files::is_directory(place) ? complaint_about(place) : "it is missing";
  if (complaint.empty()) {
    whole_.insert(best);
    return;
  }
  keeps_published_ = true;
  objective_.forget_best(fmt::format("the best model so far, {}, cannot be used: {}",
                                     excerpt_of_path(place), complaint));
}

bool Loop::run(const std::function<bool()>& stop) {
  auto& state = objective_.state();
  started_ = last_save_ = window_start_ = Clock::now();
  before_ = state.seconds;
  objective_.begin();
  // Only where the data to evaluate on are others than before.
  if (is_done() && objective_.can_evaluate()) evaluate();
  const auto first = state.step;
  while (!is_done() && !(stop && stop())) {
    step();
    state.seconds = before_ + seconds_since(started_);
    const bool last = objective_.progress() >= 1;
    if (falls_on(state.step, settings_.log_every) || last) log_step();
    const bool evaluates = falls_on(state.step, settings_.evaluate_every) || last;
    if (evaluates) evaluate();
    if (must_save(evaluates)) save();
  }
  if (saved_step_ != state.step) save();
  prune();
  // What is published already may have been edited since.
  const bool same = state.step == first &&
                    holds_model_of(directory_.path(), directory_.checkpoint(step_to_publish()));
  if (!same) publish();
  return is_done();
}

bool Loop::is_done() const { return objective_.progress() >= 1 || objective_.stopped_early(); }

bool Loop::must_save(bool evaluated) const {
  const bool time =
      settings_.save_every_seconds > 0 && seconds_since(last_save_) >= settings_.save_every_seconds;
  return time || falls_on(objective_.state().step, settings_.save_every) ||
         (evaluated && settings_.save_with_evaluations) || is_done();
}

void Loop::step() {
  auto& state = objective_.state();
  const auto pass = objective_.forward_backward(optimizer_);
  started_ += pass.aside;
  window_start_ += pass.aside;
  // Nothing has been changed by the step's gradients yet.
  if (!std::isfinite(pass.loss)) {
    require_finite();  // names what is spoilt
    fail_of_state(fmt::format("the loss of step {} is not finite", state.step + 1));
  }
  if (saved_.step == state.step) good_ = saved_;
  prune();
  if (const auto reason = objective_.objection(pass.loss); !reason.empty()) fail(reason);
  // The first step has shown that there is memory for all of it: now an earlier run may go.
  directory_.begin();
  objective_.gradients_computed();
  learning_rate_ = settings_.learning_rate *
                   learning_rate_share(settings_.schedule, objective_.progress(), settings_.warmup);
  const auto taken = optimizer_.step(learning_rate_);
  if (!taken.finite) fail(fmt::format("a gradient of step {} is not finite", state.step + 1));
  gradient_norm_ = taken.gradient_norm;
  ++state.step;
  state.tokens += pass.tokens;
  window_tokens_ += pass.tokens;
  objective_.step_taken();
}

void Loop::fail(const std::string& reason) {
  const auto step = objective_.state().step;
  if (saved_step_ != step) save();
  throw ModelError(fmt::format("{}: stopped; the last good state is {}. {}{}", reason,
                               excerpt_of_path(directory_.checkpoint(step)), kAdvice,
                               objective_.place()));
}

void Loop::fail_of_state(const std::string& reason) {
  const auto step = objective_.state().step;
  std::string good = "no good state was saved before";
  if (good_.step < 0) {  // none by this process
    for (const auto& place : checkpoints_in(directory_.path())) {
      if (place.step >= step || !complaint_about(place.path).empty()) continue;
      good_ = {place.path, place.step};
      break;
    }
  }
  if (good_.step >= 0) {
    good = "the last good state is " + excerpt_of_path(good_.path);
    if (saved_.step == step) {
      good += fmt::format(" (without {} the run goes on from there)", excerpt_of_path(saved_.path));
    }
    const bool own = good_.path == directory_.checkpoint(good_.step);
    if (published_step_ == step && own) directory_.publish(good_.step);
  }
  throw ModelError(fmt::format("{}: stopped; {}. {}{}", reason, good, kAdvice, objective_.place()));
}

void Loop::require_finite() {
  optimizer_.catch_up();
  const auto spoilt = objective_.parameters().not_finite();
  if (spoilt.empty()) return;
  fail_of_state(fmt::format("{} has numbers that are infinite or NaN after step {}", spoilt,
                            objective_.state().step));
}

void Loop::log_step() {
  const auto& state = objective_.state();
  const double seconds = seconds_since(window_start_);
  const double done = std::min(objective_.progress(), 1.0);
  objective_.log({.step = state.step,
                  .progress = done,
                  .learning_rate = learning_rate_,
                  .gradient_norm = gradient_norm_,
                  .tokens_per_s = static_cast<double>(window_tokens_) / seconds,
                  .seconds = seconds,
                  .seconds_left = done > 0 ? state.seconds * (1 - done) / done : 0});
  window_tokens_ = 0;
  window_start_ = Clock::now();
}

void Loop::evaluate() {
  if (!objective_.can_evaluate()) return;
  const auto start = Clock::now();
  require_finite();
  const auto [best, loss] = objective_.evaluate();
  if (!std::isfinite(loss)) {
    fail_of_state(fmt::format("the loss of the evaluation after step {} is not finite",
                              objective_.state().step));
  }
  if (best) keeps_published_ = false;
  // Where time limits the run, its end is looked at after a step alone.
  if (!settings_.limited_by_time) objective_.state().seconds = before_ + seconds_since(started_);
  window_start_ += Clock::now() - start;
  if (best) save();
}

void Loop::save() {
  auto& state = objective_.state();
  if (saved_step_ == state.step) return;
  const auto start = Clock::now();
  require_finite();
  save_training_state(
      directory_, state.step, [&](const std::filesystem::path& to) { objective_.save_model(to); },
      optimizer_, objective_.state_json());
  saved_step_ = state.step;
  saved_ = {directory_.checkpoint(state.step), state.step};
  whole_.insert(state.step);
  if (settings_.publish_with_saves) publish();
  prunes_ = true;
  last_save_ = Clock::now();
  window_start_ += last_save_ - start;
}

void Loop::prune() {
  if (!prunes_) return;
  prunes_ = false;
  directory_.prune({.step = saved_step_, .keep = settings_.keep, .best = objective_.best_step()},
                   whole_);
}

std::int64_t Loop::step_to_publish() const {
  const auto best = objective_.best_step();
  return whole_.contains(best) ? best : objective_.state().step;
}

void Loop::publish() {
  if (keeps_published_) return;
  const auto step = step_to_publish();
  if (step != published_step_) directory_.publish(step);
  published_step_ = step;
  directory_.publish_files([&](const std::filesystem::path& to) { objective_.published(to); });
}

}  // namespace cloze::internal
