/// \file
/// cloze export: a model to an ONNX file.
#include "cloze/export.h"

#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/output_files.h"
#include "cli/progress_bar.h"
#include "cloze/output.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
MODEL is a model directory in any format that Cloze reads, or a name; OUT.onnx is a graph of ONNX's
standard operators (set 17) with the weights in f32. It reads batches of any size and length:
input_ids, attention_mask, token_type_ids, int64 [batch_size, sequence_length], padded on the right;
for multiple-choice [batch_size, num_choices, sequence_length]; DistilBERT has no token_type_ids.
Outputs have Optimum's names: last_hidden_state, logits, start_logits, sentence_embedding, ...

Without --task: sentence-similarity for a sentence-transformers directory, else what config.json says
that the model is.

Examples:
  cloze export all-MiniLM-L6-v2 minilm.onnx
  cloze export ./finetuned tagger.onnx --task token-classification
  cloze export bert-base-uncased encoder.onnx --task feature-extraction --external-data
)";

std::string readable(const ExportedModel& model, const std::string& path) {
  auto text = fmt::format("{}: {}, {} operations, {} weights, {:.1f} MiB\n", path, model.task,
                          model.nodes, model.weights, static_cast<double>(model.bytes) / (1 << 20));
  if (!model.data_file.empty()) {
    text += fmt::format("weights in {}, which must stay beside it\n", model.data_file.string());
  }
  return text + fmt::format("inputs   {}\noutputs  {}\n", fmt::join(model.inputs, ", "),
                            fmt::join(model.outputs, ", "));
}

std::string json(const ExportedModel& model, const std::string& path) {
  using Json = nlohmann::ordered_json;
  Json found{{"output", path},           {"task", model.task},   {"inputs", model.inputs},
             {"outputs", model.outputs}, {"nodes", model.nodes}, {"weights", model.weights},
             {"bytes", model.bytes}};
  found["data_file"] = model.data_file.empty() ? Json() : Json(model.data_file.string());
  return json_text(found);
}

}  // namespace

void run_export(Arguments arguments) {
  CLI::App app("Exports a model to ONNX.", "cloze export");
  std::string model, path;
  ExportOptions options;
  bool as_json = false;
  app.add_option("MODEL", model, "the model: a directory, or a name")->required();
  app.add_option("OUT", path, "the file to write")->required();
  app.add_option("--task", options.task,
                 fmt::format("what to compute: {}", fmt::join(onnx_tasks(), ", ")))
      ->type_name("TASK");
  app.add_flag("--external-data", options.external_data,
               "weights to OUT.data beside it (always so beyond 2 GB, which protobuf cannot read)");
  app.add_flag("--json", as_json, "tell what was written as a JSON object");
  app.footer(examples);
  if (!parse(app, arguments)) return;

  const auto exported =
      as_usage([&] { return export_onnx(model, path, options, terminal_progress()); });
  print_about(path, as_json ? json(exported, path) : readable(exported, path));
}

}  // namespace cloze::cli
