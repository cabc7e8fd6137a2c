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

#include "cloze/inspect.h"
#include "python/src/arrays.h"
#include "python/src/bind.h"
#include "python/src/call.h"
#include "python/src/models.h"
#include "python/src/settings.h"
#include "python/src/texts.h"

namespace cloze::python {
namespace {

/// True, False, or None: where it can be had.
Wanted wanted(Keywords& keywords, const char* name) {
  std::optional<bool> value;
  keywords.read(name, value);
  return !value ? Wanted::if_possible : *value ? Wanted::yes : Wanted::no;
}

Inspection run_inspect(const std::string& model, nb::handle text, nb::dict keywords,
                       nb::handle pair, nb::object progress) {
  nb::list keep;
  const auto first = text_of(text, "text", keep);
  std::optional<std::string_view> second;
  if (!pair.is_none()) second = text_of(pair, "pair", keep);
  InspectionOptions options;
  Keywords reader(std::move(keywords), "inspect");
  options.attention = wanted(reader, "attention");
  options.attribution = wanted(reader, "attribution");
  options.layers = wanted(reader, "layers");
  options.masks = wanted(reader, "masks");
  reader.read("max_length", options.max_length);
  reader.read("truncate", options.truncate);
  reader.read_name("explain", options.explanation.kind, answer_kind_from);
  reader.read("target", options.explanation.target);
  reader.read("at", options.explanation.at);
  reader.read("baseline", options.baseline);
  reader.read("steps", options.attributions.steps);
  reader.read("top", options.top);
  reader.read_name("dtype", options.load.precision, precision_of);
  reader.finish();
  Call call(std::move(progress));
  return call.run([&] { return inspect(model, first, second, options, call.callback()); });
}

nb::dict arrays_of(const Inspection& inspection) {
  nb::dict result;
  for (const auto& [name, tensor] : tensors_of(inspection)) {
    result[name.c_str()] = array_of(tensor, false);
  }
  return result;
}

nb::object explanation_of(const Inspection& inspection) {
  if (!inspection.explanation) return nb::none();
  const auto& explanation = *inspection.explanation;
  nb::dict result;
  result["kind"] = std::string(name_of(explanation.kind));
  result["answer"] = explanation.answer;
  result["probability"] = explanation.probability;
  result["score"] = explanation.score;
  nb::list candidates;
  for (const auto& candidate : explanation.candidates) {
    candidates.append(nb::make_tuple(candidate.name, candidate.probability));
  }
  result["candidates"] = candidates;
  return result;
}

nb::list words_of(const Inspection& inspection) {
  nb::list result;
  for (const auto& word : word_attributions(inspection)) {
    result.append(nb::make_tuple(word.word.text, word.value));
  }
  return result;
}

}  // namespace

void bind_inspection(nb::module_& module) {
  nb::class_<Inspection>(module, "Inspection", "What `inspect` found; see cloze.Inspection.")
      .def_prop_ro("model", [](const Inspection& found) { return found.model; })
      .def_prop_ro("tokens", [](const Inspection& found) { return found.text.encoding.tokens; })
      .def_prop_ro("arrays", &arrays_of)
      .def_prop_ro("explanation", &explanation_of)
      .def_prop_ro("word_attributions", &words_of)
      .def_prop_ro("vocabulary", [](const Inspection& found) { return found.vocabulary; })
      .def_prop_ro("notes", [](const Inspection& found) { return found.notes; })
      .def_prop_ro("pseudo_perplexity",
                   [](const Inspection& found) -> nb::object {
                     if (!found.masks) return nb::none();
                     return nb::cast(found.masks->pseudo_perplexity);
                   })
      .def(
          "page",
          [](const Inspection& found, std::size_t most_bytes) {
            const nb::gil_scoped_release release;
            return inspection_page(found, {.most_bytes = most_bytes});
          },
          nb::arg("most_bytes"))
      .def("save", [](const Inspection& found, const std::filesystem::path& path) {
        const nb::gil_scoped_release release;
        save_inspection(found, path);
      });
  module.def("inspect", &run_inspect, nb::arg("model"), nb::arg("text").none(), nb::arg("keywords"),
             nb::arg("pair").none() = nb::none(), nb::arg("progress").none() = nb::none());
}

}  // namespace cloze::python
