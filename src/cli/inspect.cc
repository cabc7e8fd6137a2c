/// \file
/// cloze inspect: what the model attends to, and why it answered.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cloze/output.h"
#include "inspect/inspection.h"
#include "inspect/report.h"

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
  std::string question = "auto";
  bool truncate = false;
  std::int64_t max_length = 0;
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
  app.add_option("--explain", options.question,
                 "what to attribute: label, tag, answer, mask, next, or auto")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--target", inspection.explanation.target,
                 "explain this label or token instead of the likeliest")
      ->type_name("NAME");
  app.add_option("--at", inspection.explanation.at,
                 "explain the tag of, or the [MASK] at, this token, counted from 0")
      ->type_name("N")
      ->check(in_range(0, std::int64_t{1} << 30));
  app.add_option("--baseline", inspection.baseline,
                 "token that stands for every word where attributions begin (default: [PAD])")
      ->type_name("TOKEN");
  app.add_option("--steps", inspection.attributions.steps,
                 "points of the integration (default: 50, doubled until the completeness gap is "
                 "at most 1 %)")
      ->type_name("N")
      ->check(in_range(1, 10000));
  app.add_option("--top-k,-k", inspection.top, "predictions to keep for each token")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(1, 100));
  app.add_flag("--truncate", options.truncate, "cut a text that is too long");
  app.add_option("--max-length", options.max_length,
                 "most tokens of the text, special ones included (default: what the model reads)")
      ->type_name("N")
      ->check(in_range(3, std::int64_t{1} << 16));
  app.add_flag("--json", options.json, "print a JSON object");
  options.model.add_computation(app);
  app.footer(examples);
}

void choose_parts(const std::vector<std::string>& show, InspectionOptions& inspection) {
  if (show.empty()) return;
  const std::array<std::pair<std::string_view, Wanted*>, 4> parts{{
      {"attention", &inspection.attention},
      {"attribution", &inspection.attribution},
      {"layers", &inspection.layers},
      {"masks", &inspection.masks},
  }};
  for (const auto& part : parts) *part.second = Wanted::no;
  for (const auto& name : show) {
    const auto* const part = std::find_if(parts.begin(), parts.end(),
                                          [&](const auto& known) { return known.first == name; });
    if (part == parts.end()) {
      throw UsageError(
          fmt::format("--show has no \"{}\": attention, attribution, layers or masks", name));
    }
    *part->second = Wanted::yes;
  }
}

enum class Form : std::uint8_t { summary, json, page, tensors };

Form form_of(const Options& options) {
  if (options.output.empty()) return options.json ? Form::json : Form::summary;
  const auto extension = std::filesystem::path(options.output).extension().string();
  if (extension == ".json") return Form::json;
  if (options.json) throw UsageError("--json prints; to write JSON to a file name it .json");
  if (extension == ".html") return Form::page;
  if (extension == ".safetensors") return Form::tensors;
  throw UsageError(fmt::format("{} is none of .html, .safetensors, .json", options.output));
}

/// A bar for each part that is computed, one after another.
class Bars {
 public:
  void operator()(std::string_view what, std::int64_t done, std::int64_t total) {
    if (what != what_ || done < done_) {
      bar_.reset();
      bar_ = std::make_unique<ProgressBar>(std::string(what), total, unit(what), beside_results());
      what_ = what;
      done_ = 0;
    }
    bar_->advance(done - done_);
    done_ = done;
  }

 private:
  static std::string unit(std::string_view what) {
    return what == "attributing" ? "steps" : what == "masks" ? "tokens" : "layers";
  }
  std::string what_;
  std::int64_t done_ = 0;
  std::unique_ptr<ProgressBar> bar_;
};

/// The words that an answer came from, strongest first.
std::string attribution_summary(const Inspection& inspection) {
  const auto& attribution = *inspection.attribution;
  const auto values = attribution.integrated_gradients.values<float>();
  std::vector<std::pair<double, const InspectedWord*>> words;
  for (const auto& word : inspection.text.words) {
    double sum = 0;
    for (auto i = word.begin; i < word.end; ++i)
      sum += static_cast<double>(values[static_cast<std::size_t>(i)]);
    if (word.sequence >= 0) words.emplace_back(sum, &word);
  }
  std::stable_sort(words.begin(), words.end(), [](const auto& a, const auto& b) {
    return std::abs(a.first) > std::abs(b.first);
  });
  auto text = fmt::format(
      "attribution  {:.4f} against {:.4f} for {} (integrated gradients, {} steps, completeness gap "
      "{:.2f} %)\n",
      attribution.score, attribution.baseline_score, inspection.baseline, attribution.steps,
      100 * attribution.completeness_gap);
  constexpr std::size_t most = 10, columns = 40;
  for (std::size_t i = 0; i < std::min(most, words.size()); ++i) {
    text +=
        fmt::format("  {:+9.4f}  {}\n", words[i].first, shortened(words[i].second->text, columns));
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

void write(const Options& options, Form form, const Inspection& inspection) {
  if (form == Form::tensors) {
    save_safetensors(options.output, tensors_of(inspection),
                     {{"format", "pt"}, {"model", inspection.model}});
    return;
  }
  auto out = options.output.empty() ? Output::standard_output() : Output::file(options.output);
  if (form == Form::page) {
    out.write(inspection_page(inspection));
  } else if (form == Form::json) {
    write_json(inspection, [&](std::string_view piece) { out.write(piece); });
  } else {
    out.write(summary(inspection));
  }
  out.finish();
}

}  // namespace

void run_inspect(Arguments arguments) {
  CLI::App app("Shows what the model attends to, and which words an answer came from.",
               "cloze inspect");
  Options options;
  add_options(app, options);
  if (!parse(app, arguments)) return;
  const auto form = form_of(options);
  choose_parts(options.show, options.inspection);

  auto& inspection = options.inspection;
  inspection.explanation.question = as_usage([&] { return question_from(options.question); });
  const bool asked = app.count("--explain") + app.count("--target") + app.count("--at") > 0;
  if (asked && inspection.attribution == Wanted::no) {
    throw UsageError("--explain, --target and --at are about the attribution: add it to --show");
  }
  if (asked) inspection.attribution = Wanted::yes;
  inspection.load = options.model.load_options();
  inspection.batch_tokens = std::min<std::int64_t>(options.model.batch_tokens, 4096);
  inspection.attributions.batch_tokens =
      std::min<std::int64_t>(options.model.batch_tokens, inspection.attributions.batch_tokens);
  if (options.max_length > 0)
    inspection.length.tokens = options.max_length;
  else
    inspection.length.tokens = std::int64_t{1} << 30;
  inspection.length.truncate = options.truncate;
  // What nobody will see is not computed.
  if (form == Form::summary && options.show.empty()) {
    inspection.attention = Wanted::no;
    inspection.layers = Wanted::no;
  }
  const auto directory = options.model.directory();
  std::optional<std::string> pair;
  if (app.count("--pair") > 0) pair = options.pair;
  const auto result = [&] {
    Bars bars;
    inspection.on_progress = [&](std::string_view what, std::int64_t done, std::int64_t total) {
      bars(what, done, total);
    };
    return inspect(directory, options.text, pair, inspection);
  }();
  write(options, form, result);
}

}  // namespace cloze::cli
