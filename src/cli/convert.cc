/// \file
/// cloze convert: any checkpoint to a Hugging Face directory.
#include "cloze/convert.h"

#include <optional>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/progress_bar.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
SRC is a model directory in any format that Cloze reads: safetensors, PyTorch's .bin, TensorFlow's
checkpoints (Google's releases and what was trained from them), sentence-transformers; or a GGUF file
with a BERT (F32, F16, BF16, Q8_0, Q4_0 to Q6_K). DST becomes a
directory that transformers loads without a missing or an unexpected tensor; it must be empty or not
there, or with --overwrite hold a model, whose files are replaced. Without --dtype every tensor keeps
its type and its bits.

Examples:
  cloze convert uncased_L-12_H-768_A-12 bert-base-uncased
  cloze convert ./finetuned-2019 ./finetuned --dtype bf16
  cloze convert bge-small-en-v1.5-q8_0.gguf bge-small-en-v1.5
)";

std::optional<DType> dtype_from(const std::string& name) {
  if (name.empty()) return std::nullopt;
  for (const auto dtype : {DType::f32, DType::f16, DType::bf16}) {
    if (name_of(dtype) == name) return dtype;
  }
  throw UsageError(fmt::format("--dtype {}: it is f32, f16 or bf16", name));
}

std::string readable(const ConvertedModel& model, const std::string& directory) {
  auto text = fmt::format("{}: {}, {} tensors, {:.1f} MiB{}\n", directory, model.architecture,
                          model.tensors, static_cast<double>(model.bytes) / (1 << 20),
                          model.tokenizer ? ", tokenizer" : "; no tokenizer, there was none");
  if (model.left_out.empty()) return text;
  text += fmt::format("left out, which {} does not have:", model.architecture);
  for (const auto& name : model.left_out) text += ' ' + name;
  return text + '\n';
}

std::string json(const ConvertedModel& model, const std::string& directory) {
  using Json = nlohmann::ordered_json;
  const Json found{{"output", directory},          {"architecture", model.architecture},
                   {"tensors", model.tensors},     {"bytes", model.bytes},
                   {"tokenizer", model.tokenizer}, {"left_out", model.left_out}};
  return json_text(found);
}

}  // namespace

void run_convert(Arguments arguments) {
  CLI::App app("Converts a model to a Hugging Face directory.", "cloze convert");
  std::string source, destination, dtype;
  bool as_json = false, overwrite = false, cased = false, uncased = false;
  app.add_option("SRC", source, "the model: a directory, or a name in the model cache")->required();
  app.add_option("DST", destination, "the directory to write")->required();
  app.add_option("--dtype", dtype, "store weights as f32, f16 or bf16 (default: as they are)")
      ->type_name("TYPE");
  app.add_flag("--overwrite", overwrite, "replace the model in DST, if it has one");
  auto* cased_flag =
      app.add_flag("--cased", cased, "the tokenizer of a GGUF file keeps upper case");
  app.add_flag("--uncased", uncased, "it lowers text (default: as its vocabulary looks)")
      ->excludes(cased_flag);
  add_dictionary(app);
  app.add_flag("--json", as_json, "tell what was written as a JSON object");
  app.footer(examples);
  if (!parse(app, arguments)) return;

  ConvertOptions options{.dtype = dtype_from(dtype), .overwrite = overwrite};
  if (cased || uncased) options.lowercase = uncased;
  const auto model =
      as_usage([&] { return convert_model(source, destination, options, terminal_progress()); });
  print(as_json ? json(model, destination) : readable(model, destination));
}

}  // namespace cloze::cli
