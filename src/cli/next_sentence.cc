/// \file
/// cloze next-sentence: does the second text follow the first?
#include "tasks/next_sentence.h"

#include <cstddef>
#include <string>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/task_options.h"
#include "cloze/bert.h"
#include "cloze/output.h"
#include "cloze/tokenizer.h"
#include "datasets/batching.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Prints the probability that the second text follows the first, a line a pair; with --json
{"is_next": probability}.

Examples:
  cloze next-sentence --model ./bert-base-uncased "I was hungry." "So I ate an apple."
  cloze next-sentence --model ./bert-base-uncased --input pairs.tsv --json
)";

}  // namespace

void run_next_sentence(Arguments arguments) {
  CLI::App app("Predicts whether the second text of each pair follows the first.",
               "cloze next-sentence");
  ModelOptions model_options;
  TextOptions text;
  bool json = false;
  model_options.add_model(app);
  text.add_texts(app, "pairs parted by a tab, or one pair as two arguments");
  text.add_limit(app);
  app.add_flag("--json", json, "a JSON object a line");
  model_options.add_computation(app);
  app.footer(examples);
  if (!parse(app, arguments)) return;

  const auto load = model_options.load_options();
  auto reader = text.pair_reader();
  const auto directory = model_options.directory();
  const auto tokenizer = Tokenizer::from_pretrained(directory);
  const auto model = BertForNextSentencePrediction::from_pretrained(directory, load);
  require_same_vocabulary(tokenizer, model.config());
  const auto limit = text.limit(model.config().max_position_embeddings);

  auto out = Output::standard_output();
  for_each_piece(reader, piece_bytes(model_options), "predicting", [&](const auto& items) {
    for (const auto& item : items) require_pair(item, reader);
    const auto pairs = tokenize(tokenizer, items, limit, reader);
    for (const double probability : next_sentence(model, pairs, model_options.batch_tokens)) {
      out.write(json ? fmt::format("{{\"is_next\":{:.6f}}}\n", probability)
                     : fmt::format("{:.4f}\n", probability));
    }
  });
  out.finish();
}

}  // namespace cloze::cli
