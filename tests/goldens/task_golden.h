/// \file
/// The golden task models, as make_task_goldens.py makes them.
#pragma once

#include <array>
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "bert/training/task_model.h"
#include "goldens/golden.h"

namespace cloze::testing {

/// A directory and a loss of it.
struct TaskGolden {
  std::string_view directory;
  std::string_view loss;
  const internal::HeadKind* head;
};

inline void PrintTo(const TaskGolden& it, std::ostream* out) {
  *out << it.directory << ", " << it.loss;
}

inline constexpr std::array task_goldens{
    TaskGolden{"task_sequence", "cross_entropy", &internal::heads::sequence_classification},
    TaskGolden{"task_sequence", "weighted", &internal::heads::sequence_classification},
    TaskGolden{"task_sequence", "smoothed", &internal::heads::sequence_classification},
    TaskGolden{"task_sequence", "weighted_smoothed", &internal::heads::sequence_classification},
    TaskGolden{"task_sequence", "multi_label", &internal::heads::sequence_classification},
    TaskGolden{"task_sequence", "regression", &internal::heads::sequence_classification},
    TaskGolden{"task_one_label", "multi_label", &internal::heads::sequence_classification},
    TaskGolden{"task_one_label", "regression", &internal::heads::sequence_classification},
    TaskGolden{"task_token", "cross_entropy", &internal::heads::token_classification},
    TaskGolden{"task_token", "weighted", &internal::heads::token_classification},
    TaskGolden{"task_token", "smoothed", &internal::heads::token_classification},
    TaskGolden{"task_token", "weighted_smoothed", &internal::heads::token_classification},
    TaskGolden{"task_span", "cross_entropy", &internal::heads::question_answering},
    TaskGolden{"task_span", "smoothed", &internal::heads::question_answering},
    TaskGolden{"task_choice", "cross_entropy", &internal::heads::multiple_choice},
    TaskGolden{"task_choice", "smoothed", &internal::heads::multiple_choice},
    TaskGolden{"task_embedding", "in_batch_negatives", &internal::heads::sentence_embedding},
    TaskGolden{"task_embedding", "cosine", &internal::heads::sentence_embedding},
    TaskGolden{"electra/task_sequence", "cross_entropy", &internal::heads::sequence_classification},
    TaskGolden{"electra/task_sequence", "multi_label", &internal::heads::sequence_classification},
    TaskGolden{"electra/task_token", "cross_entropy", &internal::heads::token_classification},
    TaskGolden{"electra/task_span", "cross_entropy", &internal::heads::question_answering},
    TaskGolden{"electra/task_choice", "cross_entropy", &internal::heads::multiple_choice},
    TaskGolden{"electra/task_embedding", "in_batch_negatives",
               &internal::heads::sentence_embedding},
};

/// What PyTorch calls a parameter of the golden's model.
inline std::string pytorch_name(const TaskGolden& golden, const std::string& parameter) {
  return golden.directory.starts_with("electra/")
             ? internal::stored_name(parameter, *golden.head, internal::Family::electra)
             : parameter;
}

inline std::filesystem::path file_of(const TaskGolden& golden) {
  return golden_directory(golden.directory) / (std::string(golden.loss) + ".safetensors");
}

/// What the golden's loss is in options.
inline internal::TaskModelOptions options_of(const TaskGolden& golden, std::int64_t labels) {
  internal::TaskModelOptions options{.head = golden.head};
  if (golden.loss == "multi_label") options.loss = internal::TaskLoss::binary_cross_entropy;
  if (golden.loss == "regression") options.loss = internal::TaskLoss::mean_squared_error;
  if (golden.loss == "in_batch_negatives") options.loss = internal::TaskLoss::in_batch_negatives;
  if (golden.loss == "cosine") options.loss = internal::TaskLoss::cosine_error;
  if (golden.loss.starts_with("weighted")) {
    for (std::int64_t i = 1; i <= labels; ++i) {
      options.class_weights.push_back(static_cast<float>(i) / 2);
    }
  }
  if (golden.loss.ends_with("smoothed")) options.label_smoothing = 0.1;
  return options;
}

/// The golden's batch with the labels of its loss.
inline internal::TaskBatch batch_of(const TaskGolden& golden) {
  const auto tensors = Checkpoint::open(golden_directory(golden.directory) / "batch.safetensors");
  const auto ints = [&](const char* name) { return elements<std::int32_t>(tensors.tensor(name)); };
  internal::TaskBatch batch{.inputs = {.input_ids = ints("input_ids"),
                                       .token_type_ids = ints("token_type_ids"),
                                       .position_ids = ints("position_ids"),
                                       .cu_seqlens = ints("cu_seqlens")}};
  if (golden.loss == "in_batch_negatives") return batch;
  if (golden.loss == "multi_label" || golden.loss == "regression" || golden.loss == "cosine") {
    batch.targets = elements<float>(tensors.tensor(std::string(golden.loss) + "_targets"));
  } else if (golden.head == &internal::heads::question_answering) {
    batch.start_positions = ints("start_positions");
    batch.end_positions = ints("end_positions");
  } else if (golden.head == &internal::heads::multiple_choice) {
    batch.choices = ints("choices");
    batch.labels = ints("choice_labels");
  } else {
    batch.labels = ints(golden.head == &internal::heads::token_classification ? "token_labels"
                                                                              : "sequence_labels");
  }
  return batch;
}

}  // namespace cloze::testing
