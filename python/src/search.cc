// The encoders that people search with: SparseEncoder and MultiVectorEncoder.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
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

#include "cloze/multi_vector_encoder.h"
#include "cloze/similarity.h"
#include "cloze/sparse_encoder.h"
#include "python/src/arrays.h"
#include "python/src/bind.h"
#include "python/src/call.h"
#include "python/src/models.h"
#include "python/src/texts.h"

namespace cloze::python {
namespace {

using Ends = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Weights = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

/// Rows as three arrays, as scipy.sparse.csr_array has them: checked, for they come from callers.
SparseVectors sparse_of(const Ends& ends, const Integers& indices, const Weights& values,
                        std::int64_t columns) {
  SparseVectors vectors;
  vectors.row_ends.assign(ends.data(), ends.data() + ends.size());
  vectors.indices.assign(indices.data(), indices.data() + indices.size());
  vectors.values.assign(values.data(), values.data() + values.size());
  vectors.columns = columns;
  const auto size = static_cast<std::int64_t>(vectors.indices.size());
  bool fine = vectors.indices.size() == vectors.values.size() && !vectors.row_ends.empty() &&
              vectors.row_ends.front() == 0 && vectors.row_ends.back() == size;
  for (std::size_t row = 0; fine && row + 1 < vectors.row_ends.size(); ++row) {
    fine = vectors.row_ends[row] <= vectors.row_ends[row + 1];
  }
  for (std::size_t row = 0; fine && row + 1 < vectors.row_ends.size(); ++row) {
    std::int64_t before = -1;
    for (const auto column : vectors.indices_of(row)) {
      fine = fine && column > before && column < columns;
      before = column;
    }
  }
  if (fine) return vectors;
  throw nb::value_error(
      "the arrays are no sparse rows: a row's columns ascend, and lie below columns");
}

nb::object similarity_of(const SparseVectors& a, const SparseVectors& b, std::string_view name,
                         bool pairwise) {
  if (a.columns != b.columns) {
    throw nb::value_error(("vectors of " + std::to_string(a.columns) + " and of " +
                           std::to_string(b.columns) + " columns cannot be compared")
                              .c_str());
  }
  if (pairwise && a.rows() != b.rows()) {
    throw nb::value_error(("there are " + std::to_string(a.rows()) + " vectors and " +
                           std::to_string(b.rows()) + " others: each needs one")
                              .c_str());
  }
  const auto function = similarity_function_from(name);
  const auto width = pairwise ? 1 : b.rows();
  std::vector<float> scores(a.rows() * width);
  Call call;
  call.run([&] {
    for (std::size_t at = 0; at < scores.size(); ++at) {
      const auto i = at / width;
      const auto j = pairwise ? i : at % width;
      scores[at] = static_cast<float>(sparse_similarity(a.indices_of(i), a.values_of(i),
                                                        b.indices_of(j), b.values_of(j), function));
    }
  });
  if (pairwise) return array_of(std::move(scores));
  return array_of(std::move(scores), {a.rows(), width});
}

void bind_sparse(nb::module_& module) {
  nb::class_<SparseVectors>(module, "SparseVectors", "Sparse rows; see cloze.SparseEmbeddings.")
      .def_static("of", &sparse_of, nb::arg("indptr"), nb::arg("indices"), nb::arg("values"),
                  nb::arg("columns"))
      .def_prop_ro("rows", &SparseVectors::rows)
      .def_prop_ro("columns", [](const SparseVectors& vectors) { return vectors.columns; })
      .def_prop_ro("indptr", [](const SparseVectors& v) { return array_of(v.row_ends); })
      .def_prop_ro("indices", [](const SparseVectors& v) { return array_of(v.indices); })
      .def_prop_ro("values", [](const SparseVectors& v) { return array_of(v.values); })
      .def("to_dense", [](const SparseVectors& vectors) { return array_of(vectors.to_dense()); })
      .def("similarity", &similarity_of, nb::arg("other"), nb::arg("function") = "dot",
           nb::arg("pairwise") = false);
  nb::class_<SparseEncoder>(module, "SparseEncoder",
                            "Texts to sparse vectors; see cloze.SparseEncoder.")
      .def_static(
          "from_pretrained",
          [](const std::filesystem::path& directory, std::string_view precision,
             std::int64_t batch_tokens, std::optional<std::int64_t> max_active_dims) {
            SparseEncoderOptions options;
            options.pipeline.load = load_options(precision, {});
            options.pipeline.batch_tokens = batch_tokens;
            options.max_active_dims = max_active_dims;
            Call call;
            return call.run([&] { return SparseEncoder::from_pretrained(directory, options); });
          },
          nb::arg("directory"), nb::arg("precision") = "float32", nb::arg("batch_tokens") = 8192,
          nb::arg("max_active_dims").none() = nb::none())
      .def(
          "encode",
          [](const SparseEncoder& model, nb::handle texts, nb::handle pairs,
             const std::string& prompt, std::int64_t max_length, nb::object progress) {
            const TextsOrPairs input(texts, pairs);
            SparseEncodeOptions options;
            options.max_length = max_length;
            options.truncate = true;  // as sentence-transformers always does
            options.name = python_name();
            std::size_t cut = 0;
            options.on_cut = [&cut](std::size_t count) { cut = count; };
            options.prompt = prompt;
            Call call(std::move(progress));
            auto vectors =
                call.run([&] { return model.encode(input.view(), options, call.callback()); });
            return nb::make_tuple(std::move(vectors), cut);
          },
          nb::arg("texts").none(), nb::arg("pairs").none() = nb::none(), nb::arg("prompt") = "",
          nb::arg("max_length") = 0, nb::arg("progress").none() = nb::none())
      .def(
          "decode",
          [](const SparseEncoder& model, const SparseVectors& vectors, std::size_t row,
             std::int64_t top_k) {
            nb::list words;
            for (const auto& word : model.decode(vectors, row, top_k)) {
              words.append(nb::make_tuple(word.token, word.weight));
            }
            return words;
          },
          nb::arg("vectors"), nb::arg("row"), nb::arg("top_k") = 0)
      .def_prop_ro("dimension", &SparseEncoder::dimension)
      .def_prop_ro("max_length", &SparseEncoder::max_length)
      .def_prop_ro("max_active_dims", &SparseEncoder::max_active_dims)
      .def_prop_ro(
          "similarity_fn",
          [](const SparseEncoder& model) { return std::string(name_of(model.similarity_fn())); })
      .def_prop_ro("prompts", [](const SparseEncoder& model) { return model.prompts().prompts; })
      .def_prop_ro("default_prompt_name",
                   [](const SparseEncoder& model) { return model.prompts().default_prompt_name; })
      .def_prop_ro("warnings", &SparseEncoder::warnings)
      .def_prop_ro("tokenizer", [](const SparseEncoder& model) { return model.tokenizer(); })
      .def_prop_ro("config_json",
                   [](const SparseEncoder& model) { return model.config().to_json(); });
}

/// The vectors of texts, each an array [tokens, columns].
std::vector<TokenVectors> token_vectors_of(const nb::list& arrays, const char* name) {
  std::vector<TokenVectors> texts;
  texts.reserve(arrays.size());
  for (nb::handle array : arrays) {
    Floats rows;
    if (!nb::try_cast(array, rows, false)) {
      throw nb::type_error((std::string(name) + "[" + std::to_string(texts.size()) + "] is " +
                            kind_of(array) + ", not an array [tokens, columns] of float32")
                               .c_str());
    }
    texts.push_back({{}, view_of(rows)});
  }
  return texts;
}

/// The ids and vectors of each text's tokens, and how many texts were cut.
nb::tuple encode_tokens(const MultiVectorEncoder& model, nb::handle texts, std::string_view role,
                        std::optional<std::string> prompt, std::int64_t max_length,
                        nb::object progress) {
  const TextList input(texts, "texts");
  MultiVectorEncodeOptions options;
  options.role = text_role_from(role);
  options.max_length = max_length;
  options.truncate = true;
  options.name = python_name();
  std::size_t cut = 0;
  options.on_cut = [&cut](std::size_t count) { cut = count; };
  options.prompt = std::move(prompt);
  Call call(std::move(progress));
  auto found = call.run([&] { return model.encode(input.views(), options, call.callback()); });
  nb::list result;
  for (auto& text : found) {
    result.append(nb::make_tuple(array_of(std::move(text.ids)), array_of(std::move(text.vectors))));
  }
  return nb::make_tuple(result, cut);
}

void bind_multi_vector(nb::module_& module) {
  nb::class_<MultiVectorEncoder>(module, "MultiVectorEncoder",
                                 "Texts to vectors of tokens; see cloze.MultiVectorEncoder.")
      .def_static(
          "from_pretrained",
          [](const std::filesystem::path& directory, std::string_view precision,
             std::int64_t batch_tokens) {
            PipelineOptions options;
            options.load = load_options(precision, {});
            options.batch_tokens = batch_tokens;
            Call call;
            return call.run(
                [&] { return MultiVectorEncoder::from_pretrained(directory, options); });
          },
          nb::arg("directory"), nb::arg("precision") = "float32", nb::arg("batch_tokens") = 8192)
      .def("encode", &encode_tokens, nb::arg("texts").none(), nb::arg("role") = "document",
           nb::arg("prompt").none() = nb::none(), nb::arg("max_length") = 0,
           nb::arg("progress").none() = nb::none())
      .def(
          "similarity",
          [](const MultiVectorEncoder& model, const nb::list& queries, const nb::list& documents) {
            const auto a = token_vectors_of(queries, "queries");
            const auto b = token_vectors_of(documents, "documents");
            Call call;
            return array_of(call.run([&] { return model.similarity(a, b); }));
          },
          nb::arg("queries"), nb::arg("documents"))
      .def_prop_ro("dimension", &MultiVectorEncoder::dimension)
      .def(
          "max_length",
          [](const MultiVectorEncoder& model, std::string_view role) {
            return model.max_length(text_role_from(role));
          },
          nb::arg("role"))
      .def_prop_ro("expands_queries", &MultiVectorEncoder::expands_queries)
      .def_prop_ro("means", &MultiVectorEncoder::means)
      .def_prop_ro("prompts",
                   [](const MultiVectorEncoder& model) { return model.prompts().prompts; })
      .def_prop_ro(
          "default_prompt_name",
          [](const MultiVectorEncoder& model) { return model.prompts().default_prompt_name; })
      .def_prop_ro("warnings", &MultiVectorEncoder::warnings)
      .def_prop_ro("tokenizer", [](const MultiVectorEncoder& model) { return model.tokenizer(); })
      .def_prop_ro("config_json",
                   [](const MultiVectorEncoder& model) { return model.config().to_json(); });
}

}  // namespace

void bind_search(nb::module_& module) {
  bind_sparse(module);
  bind_multi_vector(module);
}

}  // namespace cloze::python
