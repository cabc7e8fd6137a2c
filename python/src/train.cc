#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "cloze/evaluate.h"
#include "cloze/finetune.h"
#include "cloze/pretrain.h"
#include "cloze/vocabulary_trainer.h"
#include "python/src/bind.h"
#include "python/src/call.h"
#include "python/src/examples.h"
#include "python/src/models.h"
#include "python/src/settings.h"

namespace cloze::python {
namespace {

/// A call that trains: Python hears of its events as dicts, and may end it. The first interrupt
/// ends the run in order, at the next step, so that all is saved; a second one ends it at once.
class TrainingCall {
 public:
  explicit TrainingCall(nb::object on_event) : on_event_(std::move(on_event)) {}

  /// The callbacks that all kinds of training have.
  void listen(TrainingCallbacks& callbacks) {
    callbacks.should_stop = [this] { return stop_ || !call_.go_on(); };
    callbacks.progress = [this](const Progress& state) {
      if (!call_.go_on()) return !call_.asked_again();
      tell("progress", [&](nb::dict& event) {
        event["stage"] = state.stage;
        event["done"] = state.done;
        event["total"] = state.total;
        event["unit"] = state.unit;
      });
      return true;
    };
    callbacks.message = [this](MessageKind kind, const std::string& text) {
      tell(kind == MessageKind::info      ? "info"
           : kind == MessageKind::warning ? "warning"
                                          : "note",
           [&](nb::dict& event) { event["text"] = text; });
    };
  }

  /// Tells Python of an event; `fill` says what of it. False from Python asks for the end.
  template <class Fill>
  void tell(const char* kind, Fill&& fill) {
    call_.with_python([&] {
      nb::dict event;
      event["kind"] = kind;
      fill(event);
      const nb::object answer = on_event_(event);
      if (answer.ptr() == Py_False) stop_ = true;
    });
  }

  template <class Work>
  auto run(Work&& work) {
    auto result = call_.run(std::forward<Work>(work));
    call_.raise_pending();
    return result;
  }

 private:
  nb::object on_event_;
  Call call_;
  bool stop_ = false;
};

nb::dict metrics_of(const std::vector<std::pair<std::string, double>>& metrics) {
  nb::dict result;
  for (const auto& [name, value] : metrics) result[name.c_str()] = value;
  return result;
}

void fill_evaluation(nb::dict& event, const FinetuneEvaluation& evaluation) {
  event["step"] = evaluation.step;
  event["epoch"] = evaluation.epoch;
  event["train_loss"] = evaluation.train_loss;
  event["loss"] = evaluation.loss;
  event["metrics"] = metrics_of(evaluation.metrics);
  event["best"] = evaluation.best;
}

FinetuneCallbacks finetune_callbacks(TrainingCall& call) {
  FinetuneCallbacks callbacks;
  call.listen(callbacks);
  callbacks.start = [&call](const FinetuneStart& start) {
    call.tell("start", [&](nb::dict& event) {
      event["examples"] = start.examples;
      event["dev_examples"] = start.dev_examples;
      event["parameters"] = start.parameters;
      event["new_head"] = start.new_head;
    });
  };
  callbacks.step = [&call](const FinetuneStep& step) {
    call.tell("step", [&](nb::dict& event) {
      event["step"] = step.step;
      event["epoch"] = step.epoch;
      event["progress"] = step.progress;
      event["loss"] = step.loss;
      event["learning_rate"] = step.learning_rate;
      event["gradient_norm"] = step.gradient_norm;
      event["tokens_per_s"] = step.tokens_per_s;
      event["seconds_left"] = step.seconds_left;
    });
  };
  callbacks.evaluation = [&call](const FinetuneEvaluation& evaluation) {
    call.tell("evaluation", [&](nb::dict& event) { fill_evaluation(event, evaluation); });
  };
  return callbacks;
}

nb::dict run_finetune(nb::dict keywords, const ExampleSet* train, const ExampleSet* dev,
                      nb::object on_event) {
  FinetuneSettings settings;
  Keywords reader(std::move(keywords), "finetune");
  bool resume = false;
  reader.read("resume", resume);
  if (resume) {
    const auto output = reader.take("output");
    if (!output.is_valid()) throw nb::type_error("finetune(): resume=True needs output");
    settings = finetune_settings_of(nb::cast<std::filesystem::path>(output));
  }
  read_finetune_settings(reader, settings);
  reader.finish();
  TrainingCall call(std::move(on_event));
  const auto callbacks = finetune_callbacks(call);
  const auto result = call.run([&] {
    if (train == nullptr) return finetune(settings, callbacks);
    FinetuneExamples examples{.train = train->view()};
    if (dev != nullptr) examples.dev = dev->view();
    return finetune(settings, examples, callbacks);
  });
  nb::dict out;
  out["output"] = settings.output.string();
  out["finished"] = result.finished;
  out["stopped_early"] = result.stopped_early;
  out["epochs"] = result.epochs;
  out["steps"] = result.steps;
  out["tokens"] = result.tokens;
  out["seconds"] = result.seconds;
  nb::list evaluations;
  for (const auto& evaluation : result.evaluations) {
    nb::dict entry;
    fill_evaluation(entry, evaluation);
    evaluations.append(entry);
  }
  out["evaluations"] = evaluations;
  const auto* best = result.best();
  out["metrics"] = best == nullptr ? nb::dict() : metrics_of(best->metrics);
  out["details"] = result.details;
  out["details_json"] = result.details_json;
  return out;
}

nb::dict run_evaluate(nb::dict keywords, const ExampleSet* examples, nb::object progress) {
  EvaluateSettings settings;
  Keywords reader(std::move(keywords), "evaluate");
  reader.read("model", settings.model);
  reader.read("data", settings.data);
  reader.read("task", settings.task);
  reader.read_name("dtype", settings.load.precision,
                   [](std::string_view name) { return load_options(name, {}).precision; });
  reader.read("batch_tokens", settings.batch_tokens);
  reader.read("predictions", settings.predictions);
  read_task_options(reader, settings.options);
  reader.finish();
  Call call(std::move(progress));
  const auto result = call.run([&] {
    return examples == nullptr ? evaluate(settings, call.callback())
                               : evaluate(settings, examples->view(), call.callback());
  });
  nb::dict out;
  out["task"] = result.task;
  out["examples"] = result.examples;
  out["metrics"] = metrics_of(result.metrics);
  out["details"] = result.details;
  out["details_json"] = result.details_json;
  out["notes"] = result.notes;
  out["predictions"] = result.predictions;
  return out;
}

void fill_metrics(nb::dict& event, const PretrainMetrics& metrics) {
  event["loss"] = metrics.loss();
  event["masked_lm_loss"] = metrics.masked_lm_loss;
  event["next_sentence_loss"] = metrics.next_sentence_loss;
  event["perplexity"] = metrics.perplexity();
  event["masked"] = metrics.masked;
  event["masked_correct"] = metrics.masked_correct;
  event["sequences"] = metrics.sequences;
  event["next_sentence_correct"] = metrics.next_sentence_correct;
}

PretrainCallbacks pretrain_callbacks(TrainingCall& call) {
  PretrainCallbacks callbacks;
  call.listen(callbacks);
  callbacks.start = [&call](const PretrainStart& start) {
    call.tell("start", [&](nb::dict& event) {
      event["documents"] = start.documents;
      event["text_bytes"] = start.text_bytes;
      event["tokens_per_epoch"] = start.tokens_per_epoch;
      event["parameters"] = start.parameters;
    });
  };
  callbacks.step = [&call](const PretrainStep& step) {
    call.tell("step", [&](nb::dict& event) {
      event["step"] = step.step;
      event["progress"] = step.progress;
      fill_metrics(event, step.metrics);
      event["learning_rate"] = step.learning_rate;
      event["gradient_norm"] = step.gradient_norm;
      event["tokens_per_s"] = step.tokens_per_s;
      event["seconds_left"] = step.seconds_left;
      event["tokens"] = step.tokens;
    });
  };
  callbacks.evaluation = [&call](const PretrainEvaluation& evaluation) {
    call.tell("evaluation", [&](nb::dict& event) {
      event["step"] = evaluation.step;
      fill_metrics(event, evaluation.metrics);
      event["best"] = evaluation.best;
    });
  };
  return callbacks;
}

nb::dict run_pretrain(nb::dict keywords, nb::object on_event) {
  PretrainSettings settings;
  Keywords reader(std::move(keywords), "pretrain");
  bool resume = false;
  reader.read("resume", resume);
  if (resume) {
    const auto output = reader.take("output");
    if (!output.is_valid()) throw nb::type_error("pretrain(): resume=True needs output");
    settings = pretrain_settings_of(nb::cast<std::filesystem::path>(output));
  }
  read_pretrain_settings(reader, settings);
  reader.finish();
  TrainingCall call(std::move(on_event));
  const auto callbacks = pretrain_callbacks(call);
  const auto result = call.run([&] { return pretrain(settings, callbacks); });
  nb::dict out;
  out["output"] = settings.output.string();
  out["finished"] = result.finished;
  out["steps"] = result.steps;
  out["tokens"] = result.tokens;
  out["seconds"] = result.seconds;
  out["best_step"] = result.best_step;
  nb::dict metrics;
  if (result.last) fill_metrics(metrics, result.last->metrics);
  out["metrics"] = metrics;
  return out;
}

std::vector<std::string> run_vocabulary(const std::vector<std::filesystem::path>& files,
                                        std::size_t size, std::int64_t min_frequency,
                                        std::size_t limit_alphabet, std::string initial_alphabet,
                                        std::vector<std::string> special_tokens, bool lowercase,
                                        std::optional<bool> strip_accents,
                                        bool handle_chinese_chars, nb::object progress) {
  VocabularyOptions options{.size = size,
                            .min_frequency = min_frequency,
                            .limit_alphabet = limit_alphabet,
                            .initial_alphabet = std::move(initial_alphabet),
                            .special_tokens = std::move(special_tokens),
                            .lowercase = lowercase,
                            .strip_accents = strip_accents,
                            .handle_chinese_chars = handle_chinese_chars};
  Call call(std::move(progress));
  options.progress = call.callback();
  return call.run([&] { return train_vocabulary(files, options); });
}

}  // namespace

void bind_training(nb::module_& module) {
  module.def("finetune", &run_finetune, nb::arg("keywords"), nb::arg("train").none(),
             nb::arg("dev").none(), nb::arg("on_event"));
  module.def("evaluate", &run_evaluate, nb::arg("keywords"), nb::arg("examples").none(),
             nb::arg("progress").none() = nb::none());
  module.def("pretrain", &run_pretrain, nb::arg("keywords"), nb::arg("on_event"));
  module.def("train_vocabulary", &run_vocabulary, nb::arg("files"), nb::arg("size"),
             nb::arg("min_frequency"), nb::arg("limit_alphabet"), nb::arg("initial_alphabet"),
             nb::arg("special_tokens"), nb::arg("lowercase"), nb::arg("strip_accents").none(),
             nb::arg("handle_chinese_chars"), nb::arg("progress").none() = nb::none());
}

}  // namespace cloze::python
