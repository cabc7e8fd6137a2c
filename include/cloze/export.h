/// \file
/// A model as an ONNX file, for ONNX Runtime and other programs that read ONNX. Inputs and outputs
/// have the names that Hugging Face's Optimum gives them.
///
///     cloze::export_onnx("all-MiniLM-L6-v2", "minilm.onnx");
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cloze/progress.h"

#pragma GCC visibility push(default)
namespace cloze {

/// The tasks that can be exported, and what each gives, for batches of any size and length:
///
///   feature-extraction        last_hidden_state [B, L, hidden], pooler_output [B, hidden] if any
///   sentence-similarity       token_embeddings [B, L, hidden], sentence_embedding [B, width], as
///                             the modules of a sentence-transformers directory make it
///   fill-mask                 logits [B, L, vocab]
///   next-sentence-prediction  logits [B, 2]
///   pretraining               prediction_logits [B, L, vocab], seq_relationship_logits [B, 2]
///   text-classification       logits [B, labels]
///   token-classification      logits [B, L, labels]
///   question-answering        start_logits, end_logits [B, L]
///   multiple-choice           logits [B, choices]
///
/// The inputs are input_ids, attention_mask (1 for tokens, 0 for padding, which is on the right)
/// and token_type_ids, int64 [B, L], for multiple-choice [B, choices, L]; DistilBERT has no
/// token_type_ids.
[[nodiscard]] std::vector<std::string> onnx_tasks();

/// What is exported, and to which files.
struct ExportOptions {
  /// One of onnx_tasks. Empty: that of a sentence-transformers directory, else what `architectures`
  /// in config.json says, else of what heads the checkpoint has.
  std::string task{};
  /// Weights of 1 KiB or more go to a second file beside the first, `PATH.data`, as ONNX's external
  /// data, each at a multiple of 4096 bytes so that it can be mapped.
  bool external_data = false;
  /// A file that would be larger has its weights outside in any case: protobuf reads no more.
  std::int64_t max_file_bytes = 2'147'483'647;
};

/// What `export_onnx` wrote.
struct ExportedModel {
  std::string task;
  std::vector<std::string> inputs, outputs;
  std::int64_t nodes = 0, weights = 0;
  std::int64_t bytes = 0;             ///< of all files
  std::filesystem::path data_file{};  ///< the second file, if any
};

/// Exports the model in a directory or of a name (see hub.h) to `path`, in f32 whatever the
/// checkpoint stores. `progress` is told of the weights that are written, and of a download. Files
/// appear complete or not at all, both together; `PATH.data` of an earlier export is removed where
/// there is none now. Throws IoError, FormatError; ModelError where the checkpoint does not have
/// the task's head, a tensor is missing or of another shape than config.json says; ArgumentError
/// for an unknown task, and rather than replace a file of the model, or one that no export wrote (a
/// `path` that ends in .onnx may be replaced in any case); Cancelled.
ExportedModel export_onnx(const std::string& directory_or_name, const std::filesystem::path& path,
                          const ExportOptions& options = {}, const ProgressCallback& progress = {});

}  // namespace cloze

#pragma GCC visibility pop
