#include "python/src/models.h"

#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "cloze/config.h"
#include "cloze/error.h"
#include "python/src/arrays.h"
#include "python/src/bind.h"
#include "python/src/call.h"

namespace cloze::python {
namespace {

/// Calls `use` with a null pointer of the class that `name` names.
template <class Use>
AnyModel make_model(std::string_view name, Use&& use) {
  if (name == "BertModel") return use(static_cast<BertModel*>(nullptr));
  if (name == "BertForMaskedLM") return use(static_cast<BertForMaskedLM*>(nullptr));
  if (name == "BertForNextSentencePrediction") {
    return use(static_cast<BertForNextSentencePrediction*>(nullptr));
  }
  if (name == "BertForPreTraining") return use(static_cast<BertForPreTraining*>(nullptr));
  if (name == "BertForSequenceClassification") {
    return use(static_cast<BertForSequenceClassification*>(nullptr));
  }
  if (name == "BertForTokenClassification") {
    return use(static_cast<BertForTokenClassification*>(nullptr));
  }
  if (name == "BertForQuestionAnswering") {
    return use(static_cast<BertForQuestionAnswering*>(nullptr));
  }
  if (name == "BertForMultipleChoice") return use(static_cast<BertForMultipleChoice*>(nullptr));
  throw nb::value_error(("there is no class " + std::string(name)).c_str());
}

/// What a call gives besides the encoder's results, by the names of transformers' outputs.
struct HeadResult {
  const char* name = nullptr;
  Tensor tensor;
};

template <class Model>
std::vector<HeadResult> run_head(const Model& model, const Batch& batch,
                                 std::span<const std::int32_t> positions, std::int64_t choices,
                                 const ForwardOptions& options) {
  if constexpr (std::is_same_v<Model, BertModel>) {
    *options.encoder_output = model(batch, options);
    return {};
  } else if constexpr (std::is_same_v<Model, BertForMaskedLM>) {
    return {{"logits", model(batch, positions, options)}};
  } else if constexpr (std::is_same_v<Model, BertForPreTraining>) {
    auto output = model(batch, positions, options);
    return {{"prediction_logits", std::move(output.prediction_logits)},
            {"seq_relationship_logits", std::move(output.seq_relationship_logits)}};
  } else if constexpr (std::is_same_v<Model, BertForQuestionAnswering>) {
    auto output = model(batch, options);
    return {{"start_logits", std::move(output.start_logits)},
            {"end_logits", std::move(output.end_logits)}};
  } else if constexpr (std::is_same_v<Model, BertForMultipleChoice>) {
    return {{"logits", model(batch, choices, options)}};
  } else {
    return {{"logits", model(batch, options)}};
  }
}

nb::list arrays_of(std::vector<Tensor> tensors) {
  nb::list result;
  for (auto& tensor : tensors) result.append(array_of(std::move(tensor)));
  return result;
}

/// Packed results: "last_hidden_state" [tokens, hidden], "pooler_output", "hidden_states" and
/// "attentions" (lists) where asked for, and the head's.
nb::dict forward(const LoadedModel& loaded, const Integers& input_ids,
                 const Integers& token_type_ids, const Integers& position_ids,
                 const Integers& cu_seqlens, nb::handle positions, std::int64_t choices,
                 bool hidden_states, bool attentions) {
  const auto copy = [](const Integers& array) {
    const auto values = values_of(array);
    return std::vector<std::int32_t>(values.begin(), values.end());
  };
  const Batch batch{copy(input_ids), copy(token_type_ids), copy(position_ids), copy(cu_seqlens)};
  std::vector<std::int32_t> at;
  if (positions.is_none()) {
    at.resize(batch.input_ids.size());
    std::iota(at.begin(), at.end(), 0);
  } else {
    at = copy(nb::cast<Integers>(positions));
  }
  BertOutput encoder;
  const bool bare = std::holds_alternative<BertModel>(loaded.model);
  const ForwardOptions options{
      .output_hidden_states = hidden_states,
      .output_attentions = attentions,
      .encoder_output = bare || hidden_states || attentions ? &encoder : nullptr};
  Call call;
  auto results = call.run([&] {
    return std::visit(
        [&](const auto& model) { return run_head(model, batch, at, choices, options); },
        loaded.model);
  });
  nb::dict output;
  for (auto& result : results) output[result.name] = array_of(std::move(result.tensor));
  if (bare) {
    output["last_hidden_state"] = array_of(std::move(encoder.last_hidden_state));
    if (!encoder.pooler_output.empty() || batch.sequences() == 0) {
      output["pooler_output"] = array_of(std::move(encoder.pooler_output));
    }
  }
  if (hidden_states) output["hidden_states"] = arrays_of(std::move(encoder.hidden_states));
  if (attentions) output["attentions"] = arrays_of(std::move(encoder.attentions));
  return output;
}

const BertPreTrainedModel& base_of(const LoadedModel& loaded) {
  return std::visit([](const auto& model) -> const BertPreTrainedModel& { return model; },
                    loaded.model);
}

}  // namespace

Precision precision_of(std::string_view name) {
  if (name == "float32") return Precision::f32;
  if (name == "bfloat16") return Precision::bf16;
  if (name == "int8") return Precision::int8;
  if (name == "best") return Precision::best;
  throw nb::value_error(
      ("there is no dtype '" + std::string(name) + "': there are float32, bfloat16, int8 and best")
          .c_str());
}

LoadOptions load_options(std::string_view precision, std::vector<std::string> keep) {
  return {.precision = precision_of(precision), .keep = std::move(keep)};
}

template <class Model>
const Model& model_of(const LoadedModel& loaded) {
  const auto* model = std::get_if<Model>(&loaded.model);
  if (model == nullptr) {
    throw nb::type_error(
        ("the model is a " + loaded.name + ", and this task needs a head that it does not have")
            .c_str());
  }
  return *model;
}

template const BertModel& model_of(const LoadedModel&);
template const BertForMaskedLM& model_of(const LoadedModel&);
template const BertForNextSentencePrediction& model_of(const LoadedModel&);
template const BertForSequenceClassification& model_of(const LoadedModel&);
template const BertForTokenClassification& model_of(const LoadedModel&);
template const BertForQuestionAnswering& model_of(const LoadedModel&);
template const BertForMultipleChoice& model_of(const LoadedModel&);

void bind_models(nb::module_& module) {
  nb::class_<LoadedModel>(module, "Model", "A model of any head; see cloze.BertModel.")
      .def_static(
          "from_pretrained",
          [](const std::filesystem::path& directory, const std::string& name,
             std::string_view precision, std::vector<std::string> keep) {
            const auto options = load_options(precision, std::move(keep));
            Call call;
            return call.run([&] {
              return LoadedModel{name, make_model(name, [&](auto* model) -> AnyModel {
                                   using Model = std::remove_pointer_t<decltype(model)>;
                                   return Model::from_pretrained(directory, options);
                                 })};
            });
          },
          nb::arg("directory"), nb::arg("name"), nb::arg("precision") = "float32",
          nb::arg("keep") = std::vector<std::string>())
      .def_static(
          "random",
          [](std::string_view config_json, const std::string& name, std::uint64_t seed,
             std::string_view precision) {
            const auto options = load_options(precision, {});
            const auto config = BertConfig::from_json(config_json, "config");
            Call call;
            return call.run([&] {
              return LoadedModel{name, make_model(name, [&](auto* model) -> AnyModel {
                                   using Model = std::remove_pointer_t<decltype(model)>;
                                   return Model::random(config, seed, options);
                                 })};
            });
          },
          nb::arg("config_json"), nb::arg("name"), nb::arg("seed") = 0,
          nb::arg("precision") = "float32")
      .def("forward", &forward, nb::arg("input_ids"), nb::arg("token_type_ids"),
           nb::arg("position_ids"), nb::arg("cu_seqlens"), nb::arg("positions").none() = nb::none(),
           nb::arg("choices") = 1, nb::arg("hidden_states") = false, nb::arg("attentions") = false)
      .def("save_pretrained",
           [](const LoadedModel& model, const std::filesystem::path& directory) {
             const nb::gil_scoped_release release;
             base_of(model).save_pretrained(directory);
           })
      .def_prop_ro("name", [](const LoadedModel& model) { return model.name; })
      .def_prop_ro("config_json",
                   [](const LoadedModel& model) { return base_of(model).config().to_json(); })
      .def_prop_ro("num_parameters",
                   [](const LoadedModel& model) { return base_of(model).num_parameters(); })
      .def_prop_ro("precision",
                   [](const LoadedModel& model) {
                     switch (base_of(model).precision()) {
                       case Precision::bf16:
                         return "bfloat16";
                       case Precision::int8:
                         return "int8";
                       default:
                         return "float32";
                     }
                   })
      .def_prop_ro("has_pooler", [](const LoadedModel& model) {
        const auto* bare = std::get_if<BertModel>(&model.model);
        return bare == nullptr || bare->has_pooler();
      });
}

}  // namespace cloze::python
