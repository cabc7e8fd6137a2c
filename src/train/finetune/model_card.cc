#include "train/finetune/model_card.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include "train/optimizer/schedule.h"

namespace cloze {
namespace {

using Row = std::vector<std::string>;

/// A Markdown table of rows, the first its header; cells are padded to the width of their column.
std::string table_of(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      text += fmt::format("| {:>{}} ", rows[r][i], widths[i]);
    }
    text += "|\n";
    if (r > 0) continue;
    for (const auto width : widths) text += fmt::format("|{:->{}}:", "", width + 1);
    text += "|\n";
  }
  return text;
}

std::string figure(double value) { return std::isnan(value) ? "–" : fmt::format("{:.4f}", value); }

std::string class_weights_line(const std::vector<float>& weights) {
  std::string text;
  for (const float weight : weights)
    text += fmt::format("{}{:.4g}", text.empty() ? "" : ", ", weight);
  return text;
}

std::vector<Row> settings_rows(const FinetuneInputs& inputs, const FinetuneSettings& settings) {
  const auto& options = inputs.model.options();
  std::vector<Row> rows{{"setting", "value"}};
  const auto add = [&](std::string name, std::string value) {
    rows.push_back({std::move(name), std::move(value)});
  };
  if (settings.steps > 0) {
    add("steps", fmt::format("{}", settings.steps));
  } else {
    add("epochs", fmt::format("{:g}", settings.epochs));
  }
  add("batch size", fmt::format("{}", settings.batch_size));
  if (settings.accumulation > 1) add("accumulation", fmt::format("{}", settings.accumulation));
  add("learning rate", fmt::format("{:g}", settings.learning_rate));
  add("schedule", fmt::format("{}, warm-up {:g}", name_of(settings.schedule),
                              warmup_share(settings, total_steps(inputs.train.size(), settings))));
  add("optimizer", fmt::format("{}, betas {:g} and {:g}, epsilon {:g}, weight decay {:g}",
                               name_of(settings.optimizer.kind), settings.optimizer.beta1,
                               settings.optimizer.beta2, settings.optimizer.epsilon,
                               settings.optimizer.weight_decay));
  add("gradient clipping", fmt::format("{:g}", settings.optimizer.max_grad_norm));
  if (settings.layer_decay < 1) add("layer decay", fmt::format("{:g}", settings.layer_decay));
  if (options.freeze_layers > 0) {
    add("frozen", fmt::format("embeddings and {} layers", options.freeze_layers));
  } else if (options.freeze_embeddings) {
    add("frozen", "embeddings");
  }
  if (options.label_smoothing > 0) {
    add("label smoothing", fmt::format("{:g}", options.label_smoothing));
  }
  if (!options.class_weights.empty()) {
    add("class weights", class_weights_line(options.class_weights));
  }
  add("computed in", std::string(name_of(options.compute)));
  add("seed", fmt::format("{}", settings.seed));
  return rows;
}

}  // namespace

std::string results_table(std::span<const FinetuneEvaluation> evaluations) {
  if (evaluations.empty()) return "";
  Row header{"epoch", "step", "train loss", "dev loss"};
  for (const auto& [name, value] : evaluations.front().metrics) header.push_back(name);
  header.emplace_back("");
  std::vector<Row> rows{header};
  const auto best = std::find_if(evaluations.rbegin(), evaluations.rend(),
                                 [](const auto& evaluation) { return evaluation.best; });
  for (const auto& evaluation : evaluations) {
    Row row{fmt::format("{:.2f}", evaluation.epoch), fmt::format("{}", evaluation.step),
            figure(evaluation.train_loss), figure(evaluation.loss)};
    for (const auto& [name, value] : evaluation.metrics) row.push_back(figure(value));
    row.emplace_back(best != evaluations.rend() && &evaluation == &*best ? "best" : "");
    row.resize(header.size());
    rows.push_back(std::move(row));
  }
  return table_of(rows);
}

std::string model_card(const FinetuneInputs& inputs, const FinetuneSettings& settings,
                       const FinetuneState& state) {
  const auto& config = inputs.model.config();
  const auto& head = *inputs.model.options().head;
  const auto family = internal::trained_family(config);
  const bool electra = family == internal::Family::electra;
  const auto architecture = internal::architecture_of(head, family);
  std::string text = fmt::format(
      "---\nlibrary_name: {}\npipeline_tag: {}\ntags:\n- {}\n- cloze\n---\n\n"
      "# {} for {}\n\n"
      "Fine-tuned by Cloze from `{}`: {} layers, hidden size {}, {} parameters, "
      "`{}`.\n\n",
      head.unit == internal::HeadUnit::pair ? "sentence-transformers" : "transformers",
      head.pipeline, electra ? "electra" : "bert", electra ? "An ELECTRA" : "A BERT",
      inputs.task.name(), inputs.base_model, config.num_hidden_layers, config.hidden_size,
      inputs.model.parameters().count(), architecture);
  if (!config.id2label.empty() && head.by_label()) {
    text += "Labels: ";
    for (std::size_t i = 0; i < config.id2label.size(); ++i) {
      text += fmt::format("{}`{}`", i == 0 ? "" : ", ", config.id2label[i]);
    }
    text += ".\n\n";
  }
  text += "## Use\n\n";
  if (!settings.usage.empty()) text += fmt::format("```\n{}\n```\n\n", settings.usage);
  text += fmt::format("transformers loads the directory as `{}`.\n\n", architecture);
  text += fmt::format("## Data\n\nTraining: `{}`, {} examples.", inputs.train_name,
                      inputs.train.examples());
  if (inputs.dev != nullptr) {
    text += fmt::format(" Evaluation: `{}`, {} examples.", inputs.dev_name, inputs.dev->examples());
  }
  text += "\n\n## Results\n\n";
  if (state.evaluations.empty()) {
    text += "Not evaluated.\n\n";
  } else {
    const auto* best = state.best();
    text += results_table(state.evaluations) + '\n';
    text += fmt::format("The model is that of step {}{}.\n\n",
                        best == nullptr ? state.step : best->step,
                        state.stopped_early ? "; training stopped early" : "");
  }
  if (!state.best_details.empty()) text += fmt::format("```\n{}```\n\n", state.best_details);
  text += "## Settings\n\n" + table_of(settings_rows(inputs, settings));
  text += fmt::format("\n{} steps, {} tokens, {:.0f} seconds.\n", state.step, state.tokens,
                      state.seconds);
  return text;
}

}  // namespace cloze
