#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "cloze/sentence_settings.h"
#include "cloze/sentence_transformer.h"
#include "cloze/similarity.h"
#include "cloze/text_ranking.h"
#include "python/src/arrays.h"
#include "python/src/bind.h"
#include "python/src/call.h"
#include "python/src/models.h"
#include "python/src/texts.h"

namespace cloze::python {
namespace {

SentenceTransformer load_sentence(const std::filesystem::path& directory,
                                  std::string_view precision, std::vector<std::string> keep,
                                  std::int64_t batch_tokens,
                                  std::optional<std::string_view> pooling) {
  SentenceTransformerOptions options;
  options.pipeline.load = load_options(precision, std::move(keep));
  options.pipeline.batch_tokens = batch_tokens;
  if (pooling) options.pooling = pooling_from(*pooling);
  Call call;
  return call.run([&] { return SentenceTransformer::from_pretrained(directory, options); });
}

/// The vectors, and how many texts were cut.
nb::tuple encode(const SentenceTransformer& model, nb::handle texts, nb::handle pairs,
                 std::optional<std::string> prompt, std::int64_t max_length, nb::object progress) {
  const TextsOrPairs input(texts, pairs);
  SentenceEncodeOptions options;
  options.max_length = max_length;
  options.truncate = true;  // as sentence-transformers always does
  options.name = python_name();
  std::size_t cut = 0;
  options.on_cut = [&cut](std::size_t count) { cut = count; };
  options.prompt = prompt ? std::move(prompt) : std::optional<std::string>("");
  Call call(std::move(progress));
  auto vectors = call.run([&] { return model.encode(input.view(), options, call.callback()); });
  return nb::make_tuple(array_of(std::move(vectors)), cut);
}

/// What a directory of sentence-transformers says, as far as Python must know.
nb::object settings_of(const std::filesystem::path& directory) {
  const auto settings = sentence_settings(directory);
  if (!settings) return nb::none();
  nb::dict result;
  result["do_lower_case"] = settings->do_lower_case;
  result["include_prompt"] = settings->include_prompt;
  result["max_seq_length"] = settings->max_seq_length;
  result["truncate_dim"] = settings->truncate_dim;
  result["warnings"] = settings->warnings;
  return result;
}

nb::list search(const Floats& queries, const Floats& corpus, std::size_t top_k,
                std::string_view function) {
  const auto kind = similarity_function_from(function);
  Call call;
  const auto found =
      call.run([&] { return semantic_search(view_of(queries), view_of(corpus), top_k, kind); });
  nb::list result;
  for (const auto& hits : found) {
    nb::list of_query;
    for (const auto& hit : hits) {
      nb::dict entry;
      entry["corpus_id"] = hit.index;
      entry["score"] = hit.score;
      of_query.append(entry);
    }
    result.append(of_query);
  }
  return result;
}

}  // namespace

void bind_sentence(nb::module_& module) {
  nb::class_<SentenceTransformer>(module, "SentenceTransformer",
                                  "Texts to vectors; see cloze.SentenceTransformer.")
      .def_static("from_pretrained", &load_sentence, nb::arg("directory"),
                  nb::arg("precision") = "float32", nb::arg("keep") = std::vector<std::string>(),
                  nb::arg("batch_tokens") = 8192, nb::arg("pooling").none() = nb::none())
      .def("encode", &encode, nb::arg("texts").none(), nb::arg("pairs").none() = nb::none(),
           nb::arg("prompt").none() = nb::none(), nb::arg("max_length") = 0,
           nb::arg("progress").none() = nb::none())
      .def_prop_ro("dimension", &SentenceTransformer::dimension)
      .def_prop_ro("max_length", &SentenceTransformer::max_length)
      .def_prop_ro("normalizes", &SentenceTransformer::normalizes)
      .def_prop_ro("warnings", &SentenceTransformer::warnings)
      .def_prop_ro("poolings",
                   [](const SentenceTransformer& model) {
                     nb::list names;
                     for (const auto pooling : model.poolings()) {
                       names.append(std::string(name_of(pooling)));
                     }
                     return names;
                   })
      .def_prop_ro("prompts",
                   [](const SentenceTransformer& model) { return model.prompts().prompts; })
      .def_prop_ro(
          "default_prompt_name",
          [](const SentenceTransformer& model) { return model.prompts().default_prompt_name; })
      .def_prop_ro("similarity_fn",
                   [](const SentenceTransformer& model) {
                     return std::string(name_of(model.similarity_fn()));
                   })
      .def_prop_ro("tokenizer", [](const SentenceTransformer& model) { return model.tokenizer(); })
      .def_prop_ro("config_json",
                   [](const SentenceTransformer& model) { return model.config().to_json(); });
  module.def("sentence_settings", &settings_of, nb::arg("directory"));
  module.def("transformer_directory", &transformer_directory, nb::arg("directory"));
  module.def("semantic_search", &search, nb::arg("queries"), nb::arg("corpus"), nb::arg("top_k"),
             nb::arg("function") = "cosine");
}

}  // namespace cloze::python
