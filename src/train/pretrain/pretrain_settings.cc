// The settings of pre-training as `run.json` keeps them.
#include "train/pretrain/pretrain_settings.h"

#include <cmath>

#include "core/numbers.h"
#include "core/strings.h"
#include "train/pretrain/pretrain_objective.h"

namespace cloze {
namespace internal {
namespace {

/// "90s", "20m", "8h"; nothing for 0.
std::string duration_text(double seconds) {
  if (!(seconds > 0)) return "";
  for (const auto& [unit, length] : {std::pair{'h', 3600.0}, std::pair{'m', 60.0}}) {
    if (std::fmod(seconds, length) == 0) return fmt::format("{}{}", seconds / length, unit);
  }
  return fmt::format("{}s", seconds);
}

// What changes the batches, the model or the arithmetic of a step may not change; how long a run
// goes on, what it costs and what it tells may.
constexpr auto pretrain_list = [](PretrainSettings& s, auto& visit) {
  visit("size", s.size);
  visit("config", s.config);
  visit("init", s.init);
  visit("vocab", s.vocab);
  visit("vocab-size", s.vocab_size);
  visit("cased", s.cased);
  visit("dropout", s.dropout);
  visit("text", s.text, kMayChange);  // its content is compared
  visit("dev", s.dev, kMayChange);
  visit("documents", s.documents);
  visit("lines", s.lines);
  visit("held-out", s.held_out);
  visit("evaluation-sequences", s.evaluation_sequences, kMayChange);
  visit("no-next-sentence", Negated{s.next_sentence});
  visit("whole-words", s.whole_word_masking);
  visit("masked", s.mlm_probability);
  visit("short-sequences", s.short_sequences);
  visit("max-predictions", s.max_predictions);
  visit("duplicate-factor", s.duplicate_factor);
  visit("max-length", s.max_length);
  visit("long-length", s.long_length);
  visit("long-share", s.long_share);
  visit("batch-sequences", s.batch_sequences);
  visit("batch-tokens", s.batch_tokens);
  visit("accumulation", s.accumulation);
  visit("data-workers", s.data_workers, kMayChange);
  visit("steps", s.steps, kMayChange);
  visit("max-time",
        Converted{[&] { return duration_text(s.max_seconds); },
                  [&](const std::string& text) {
                    s.max_seconds = text.empty() ? 0 : seconds_from(text);
                  }},
        kMayChange);
  visit("loss-spike", s.loss_spike, kMayChange);
  visit("save-every-minutes", s.save_every_minutes, kMayChange);
  visit_training_settings(s, visit);
};

}  // namespace

std::vector<SavedSetting> saved_settings(const PretrainSettings& settings) {
  return saved_by(pretrain_list, settings);
}

PretrainSettings pretrain_settings_from(const std::string& run_json, const std::string& origin) {
  return settings_from<PretrainSettings>(pretrain_list, run_json, origin);
}

}  // namespace internal

double seconds_from(std::string_view text) {
  auto number = text;
  double factor = 1;
  for (const auto& [unit, unit_seconds] : {std::pair{'s', 1.0}, {'m', 60.0}, {'h', 3600.0}}) {
    if (!text.ends_with(unit)) continue;
    number.remove_suffix(1);
    factor = unit_seconds;
  }
  const double seconds = finite_number(number).value_or(0) * factor;
  if (!(seconds > 0 && seconds <= kLongestRun)) {
    throw ArgumentError(
        fmt::format("{} is no time: give seconds, or a number with s, m or h, {:g} seconds at most",
                    in_quotes(text), kLongestRun));
  }
  return seconds;
}

PretrainSettings pretrain_settings_of(const std::filesystem::path& run_directory) {
  return internal::settings_to_resume<PretrainSettings>(internal::pretrain_list, run_directory);
}

}  // namespace cloze
