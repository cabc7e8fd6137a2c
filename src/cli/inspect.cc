/// \file
/// cloze inspect: what the model attends to, and why it answered.
#include "cloze/inspect.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/output_files.h"
#include "cli/text_command.h"
#include "cloze/output.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
A page (.html) needs nothing but a browser; .safetensors has every value, .json too (attention as nested
lists). Without --output a summary is printed, with --json the JSON. Attributions are integrated gradients
and gradient x input on the word embeddings' output, computed in f32 whatever --dtype says.

--show takes any of attention, attribution, layers (what a masked-LM head says at each layer) and masks
(each token masked in turn: as many passes as tokens). What was named and cannot be had is an error; without
--show there is all that model and text have, masks for texts of up to 128 tokens.

Examples:
  cloze inspect --model all-MiniLM-L6-v2 "The cat sat on the mat." --output page.html
  cloze inspect --model ./bert-base-uncased "The capital of France is [MASK]." --output page.html
  cloze inspect --model ./sst2 "A gripping, beautifully shot film." --show attribution --json
  cloze inspect --model ./squad "Who wrote it?" --pair "It was written by Ada." -o page.html
  cloze inspect --model ./bert-base-uncased "He sat by the bank of the river." --show attention -o a.safetensors
)";

struct Options {
  ModelOptions model;
  std::string text;
  std::string pair;
  std::string output;
  std::vector<std::string> show;
  std::string explain = "auto";
  bool json = false;
  InspectionOptions inspection;
};

void add_options(CLI::App& app, Options& options) {
  options.model.add_model(app);
  app.add_option("TEXT", options.text, "the text to look into")->type_name("")->required();
  app.add_option("--pair", options.pair, "a second text")->type_name("TEXT");
  app.add_option("--output,-o", options.output, "write to FILE: .html, .safetensors or .json")
      ->type_name("FILE");
  app.add_option("--show", options.show, "attention, attribution, layers, masks (default: all)")
      ->type_name("PART,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  auto& inspection = options.inspection;
  app.add_option("--explain", options.explain,
                 "what to attribute: label, tag, answer, mask, next, or auto")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--target", inspection.explanation.target,
                 "explain this label or token instead of the likeliest")
      ->type_name("NAME");
  add_count(app, "--at", inspection.explanation.at,
            "explain the tag of, or the mask at, this token, counted from 0", 0);
  app.add_option("--baseline", inspection.baseline,
                 "token that stands for every word where attributions begin (default: [PAD])")
      ->type_name("TOKEN");
  add_count(app, "--steps", inspection.attributions.steps,
            "points of the integration (default: 50, doubled until the completeness gap is "
            "at most 1 %)",
            1, 10000);
  add_count(app, "--top-k,-k", inspection.top, "predictions to keep for each token", 1, 100);
  app.add_flag("--truncate", inspection.truncate, "cut a text that is too long");
  add_count(app, "--max-length", inspection.max_length,
            "most tokens of the text, special ones included (default: what the model reads)", 3,
            std::int64_t{1} << 16);
  app.add_flag("--json", options.json, "print a JSON object");
  options.model.add_computation(app);
  app.footer(examples);
}

void choose_parts(const std::vector<std::string>& show, InspectionOptions& inspection) {
  if (show.empty()) return;
  const std::map<std::string_view, Wanted*> parts{{"attention", &inspection.attention},
                                                  {"attribution", &inspection.attribution},
                                                  {"layers", &inspection.layers},
                                                  {"masks", &inspection.masks}};
  for (const auto& part : parts) *part.second = Wanted::no;
  for (const auto& name : show) {
    const auto part = parts.find(name);
    if (part == parts.end()) {
      throw UsageError(
          fmt::format("--show has no \"{}\": attention, attribution, layers or masks", name));
    }
    *part->second = Wanted::yes;
  }
}

void check_output(const Options& options) {
  const auto extension = std::filesystem::path(options.output).extension();
  if (options.output.empty() || extension == ".json") return;
  if (options.json) throw UsageError("--json prints; to write JSON to a file name it .json");
  if (extension == ".html" || extension == ".safetensors") return;
  throw UsageError(fmt::format("{} is none of .html, .safetensors, .json", options.output));
}

/// The words that an answer came from, strongest first.
std::string attribution_summary(const Inspection& inspection) {
  const auto& attribution = *inspection.attribution;
  auto text = fmt::format(
      "attribution  {:.4f} against {:.4f} for {} (integrated gradients, {} steps, completeness gap "
      "{:.2f} %)\n",
      attribution.score, attribution.baseline_score, inspection.baseline, attribution.steps,
      100 * attribution.completeness_gap);
  constexpr std::size_t most = 10, columns = 40;
  const auto words = word_attributions(inspection);
  for (const auto& [word, value] : std::span(words).first(std::min(most, words.size()))) {
    text += fmt::format("  {:+9.4f}  {}\n", value, shortened(word.text, columns));
  }
  return text;
}

std::string summary(const Inspection& inspection) {
  const auto& config = inspection.config;
  auto text = fmt::format("model        {}, {} layers of {} heads\ntext         {} tokens\n",
                          inspection.model, config.num_hidden_layers, config.num_attention_heads,
                          inspection.text.tokens());
  if (inspection.explanation) {
    const auto& explanation = *inspection.explanation;
    text += fmt::format("answer       {}", shortened(explanation.answer, terminal_width() - 30));
    if (!explanation.regression) text += fmt::format(" ({:.2f} %)", 100 * explanation.probability);
    text += fmt::format("\nexplained    {}\n", shortened(explanation.score, terminal_width() - 13));
  }
  if (inspection.attribution) text += attribution_summary(inspection);
  if (inspection.masks) {
    text += fmt::format("masks        pseudo-perplexity {:.2f} over {} tokens\n",
                        inspection.masks->pseudo_perplexity, inspection.masks->positions.size());
  }
  for (const auto& [part, why] : inspection.notes) {
    text += fmt::format("{} {}\n", padded(part, 12), why);
  }
  text += "attention, and all of this as a page: --output page.html\n";
  return text;
}

}  // namespace

void run_inspect(Arguments arguments) {
  CLI::App app("Shows what the model attends to, and which words an answer came from.",
               "cloze inspect");
  Options options;
  add_options(app, options);
  if (!parse(app, arguments)) return;
  check_output(options);
  require_output_apart(options.output, {}, &options.model);
  choose_parts(options.show, options.inspection);

  auto& inspection = options.inspection;
  inspection.explanation.kind = as_usage([&] { return answer_kind_from(options.explain); });
  const bool asked = app.count("--explain") + app.count("--target") + app.count("--at") > 0;
  if (asked && inspection.attribution == Wanted::no) {
    throw UsageError("--explain, --target and --at are about the attribution: add it to --show");
  }
  if (asked) inspection.attribution = Wanted::yes;
  inspection.load = options.model.load_options();
  inspection.batch_tokens = options.model.batch_tokens;
  if (options.output.empty() && !options.json && options.show.empty()) {
    inspection.attention = inspection.layers = Wanted::no;  // the summary does not show them
  }
  const auto directory = options.model.root();
  std::optional<std::string_view> pair;
  if (app.count("--pair") > 0) pair = options.pair;
  const auto result = suggesting_truncate([&] {
    return inspect(directory, options.text, pair, inspection, terminal_progress(beside_results()));
  });
  if (!options.output.empty()) {
    save_inspection(result, options.output);
    return;
  }
  auto out = Output::standard_output();
  const auto write = [&](std::string_view piece) { out.write(piece); };
  options.json ? write_json(result, write) : write(summary(result));
  out.finish();
}

}  // namespace cloze::cli
