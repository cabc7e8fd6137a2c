/// \file
/// cloze rank: candidates by how well they suit a query.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/task_options.h"
#include "cloze/output.h"
#include "core/top_list.h"
#include "datasets/batching.h"
#include "tasks/text_classification.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
A cross-encoder reads query and candidate together; its score is the probability that they belong together.
With --top-k memory does not grow with the candidates. JSON: {"rank","index","score","text"}, best first.

Examples:
  cloze rank --model ./responses --query "Where is my parcel?" "It left on Monday." "We open at nine."
  cloze rank --model ./passages --query "who wrote Frankenstein" --input passages.txt --top-k 10
)";

}  // namespace

void run_rank(Arguments arguments) {
  CLI::App app("Ranks candidates (responses, passages) for a query.", "cloze rank");
  ModelOptions model_options;
  TextOptions text;
  std::string query;
  std::int64_t top_k = 0;
  bool json = false;
  model_options.add_model(app);
  text.add_texts(app, "the candidates");
  app.add_option("--query,-q", query, "what they are ranked for")->type_name("TEXT")->required();
  app.add_option("--top-k,-k", top_k, "show the best N only")
      ->type_name("N")
      ->check(in_range(1, std::int64_t{1} << 40));
  text.add_limit(app);
  app.add_flag("--json", json, "a JSON object a line");
  model_options.add_computation(app);
  app.footer(examples);
  if (!parse(app, arguments)) return;
  text.single = true;
  auto reader = text.reader();
  const auto model = open_task_model(model_options, internal::TaskHead::sequence);
  const auto labels = model.predictor.config().num_labels();
  if (labels > 2) {
    throw ModelError(fmt::format(
        "{} has {} labels, and ranking needs one output, or two (no, yes): use cloze classify",
        model.directory.string(), labels));
  }
  const auto limit = text.limit(model.config.max_position_embeddings);
  const auto kind = score_kind(model.config);

  TopList best(top_k > 0 ? static_cast<std::size_t>(top_k)
                         : std::numeric_limits<std::size_t>::max());
  std::int64_t index = 0;
  for_each_piece(reader, piece_bytes(model_options), "ranking", [&](const auto& items) {
    std::vector<TextItem> pairs;
    pairs.reserve(items.size());
    for (const auto& item : items) pairs.push_back({query, item.text, item.number});
    const auto logits = model.predictor.predict(tokenize(model.tokenizer, pairs, limit, reader));
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto scores = label_scores(logits[i].template values<float>(), kind);
      best.add(scores.back(), index++, items[i].text);
    }
  });
  const auto width = terminal_width();
  auto out = Output::standard_output();
  std::int64_t place = 0;
  for (const auto& candidate : best.sorted()) {
    ++place;
    std::string line;
    if (json) {
      line = fmt::format("{{\"rank\":{},\"index\":{},\"score\":", place, candidate.index);
      append_json(line, static_cast<float>(candidate.score));
      line += ",\"text\":";
      append_json(line, candidate.text);
      line += "}\n";
    } else {
      line = fmt::format("{:>4}  {:7.4f}  {}\n", place, candidate.score,
                         shortened(candidate.text, width > 40 ? width - 15 : 25));
    }
    out.write(line);
  }
  out.finish();
}

}  // namespace cloze::cli
