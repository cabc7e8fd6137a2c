/// \file
/// cloze embed-map: texts as points of a map.
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/output_files.h"
#include "cli/text_command.h"
#include "cloze/embedding_map.h"
#include "cloze/output.h"
#include "cloze/sentence_transformer.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
A line is a text; after a tab, its label, which gives it a colour. Vectors are pooled as a
sentence-transformers directory says, by the mean of the tokens elsewhere, and projected by principal
component analysis. --projector writes what TensorBoard's projector reads, which has t-SNE and UMAP.

Examples:
  cloze embed-map sentences.txt --model all-MiniLM-L6-v2 --output map.html
  cloze embed-map labelled.tsv --model all-MiniLM-L6-v2 --output map.html --projector logs/map
  tensorboard --logdir logs/map
)";

constexpr std::int64_t most_components = 10;

/// Texts without their labels, and the points that they become.
std::pair<std::vector<TextItem>, std::vector<MapPoint>> read(TextReader& reader,
                                                             std::int64_t most) {
  std::vector<TextItem> items;
  std::vector<MapPoint> points;
  while (auto item = reader.next()) {
    if (static_cast<std::int64_t>(points.size()) == most) {
      throw UsageError(fmt::format("{} begins more than {} texts: raise --most",
                                   reader.place(item->number), most));
    }
    points.push_back({item->text, item->pair.value_or("")});
    item->pair.reset();
    items.push_back(std::move(*item));
  }
  if (items.size() < 2) throw FormatError("a map needs at least two texts, one a line");
  return {std::move(items), std::move(points)};
}

}  // namespace

void run_embed_map(Arguments arguments) {
  CLI::App app("Draws texts as points of a map: near where their vectors are alike.",
               "cloze embed-map");
  ModelOptions model_options;
  std::string file, output, projector, pooling;
  bool truncate = false;
  std::int64_t most = 20000;
  model_options.add_model(app);
  app.add_option("FILE", file, "texts, one a line; a tab parts a text from its label")
      ->type_name("")
      ->required();
  app.add_option("--output,-o", output, "the page to write: .html")->type_name("FILE");
  app.add_option("--projector", projector, "write TensorBoard's projector files into DIR")
      ->type_name("DIR");
  app.add_option("--pooling", pooling, "cls, mean, max or pooler")->type_name("NAME");
  app.add_flag("--truncate", truncate, "cut texts that are too long");
  add_count(app, "--most", most, "most texts to draw", 2, 1'000'000);
  model_options.add_computation(app);
  app.footer(examples);
  if (!parse(app, arguments)) return;
  if (output.empty() && projector.empty()) {
    throw UsageError("nothing to write: give --output FILE.html or --projector DIR");
  }
  if (!output.empty() && !output.ends_with(".html")) {
    throw UsageError(fmt::format("{} is not an .html file", output));
  }
  SentenceTransformerOptions sentence{.pipeline = model_options.pipeline_options()};
  if (!pooling.empty()) {
    sentence.pooling = as_usage([&] { return pooling_from(pooling); });
  }
  if (sentence.pooling == Pooling::none) throw UsageError("a map needs a pooling, not none");
  require_output_apart(output, {file}, &model_options);
  if (!projector.empty()) {
    for (const auto* name : {"tensors.tsv", "metadata.tsv", "projector_config.pbtxt"}) {
      require_output_apart(std::filesystem::path(projector) / name, {file}, &model_options);
    }
  }
  auto reader = TextReader::file(file, Tabs::pair);
  const auto labelled = read(reader, most);
  const auto& items = labelled.first;
  const auto& points = labelled.second;
  const auto model = SentenceTransformer::from_pretrained(model_options.root(), sentence);
  tell_warnings(model.warnings());
  const auto vectors = suggesting_truncate([&] {
    const auto place = [&](std::size_t i) { return reader.place(items[i].number); };
    return model.encode(items, {.truncate = truncate, .name = place}, terminal_progress());
  });
  if (!projector.empty()) write_projector(projector, vectors, points);
  if (output.empty()) return;
  auto out = Output::file(output);
  out.write(
      map_page(principal_components(vectors, most_components), points,
               file == "-" ? "standard input" : std::filesystem::path(file).filename().string()));
  out.finish();
}

}  // namespace cloze::cli
