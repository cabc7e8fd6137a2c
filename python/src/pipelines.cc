#include <cstdint>
#include <filesystem>
#include <memory>
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

#include "cloze/feature_extraction.h"
#include "cloze/fill_mask.h"
#include "cloze/multiple_choice.h"
#include "cloze/next_sentence.h"
#include "cloze/pipeline.h"
#include "cloze/question_answering.h"
#include "cloze/text_classification.h"
#include "cloze/text_ranking.h"
#include "cloze/token_classification.h"
#include "cloze/zero_shot_classification.h"
#include "python/src/arrays.h"
#include "python/src/bind.h"
#include "python/src/call.h"
#include "python/src/models.h"
#include "python/src/texts.h"

namespace cloze::python {
namespace {

ScoreFunction function_from(std::string_view name) {
  if (name == "default") return ScoreFunction::automatic;
  if (name == "softmax") return ScoreFunction::softmax;
  if (name == "sigmoid") return ScoreFunction::sigmoid;
  if (name == "none") return ScoreFunction::none;
  throw nb::value_error(("there is no function_to_apply '" + std::string(name) +
                         "': there are default, softmax, sigmoid and none")
                            .c_str());
}

constexpr const char* class_name(const BertModel& /*model*/) { return "BertModel"; }
constexpr const char* class_name(const BertForMaskedLM& /*model*/) { return "BertForMaskedLM"; }
constexpr const char* class_name(const BertForNextSentencePrediction& /*model*/) {
  return "BertForNextSentencePrediction";
}
constexpr const char* class_name(const BertForSequenceClassification& /*model*/) {
  return "BertForSequenceClassification";
}
constexpr const char* class_name(const BertForTokenClassification& /*model*/) {
  return "BertForTokenClassification";
}
constexpr const char* class_name(const BertForQuestionAnswering& /*model*/) {
  return "BertForQuestionAnswering";
}
constexpr const char* class_name(const BertForMultipleChoice& /*model*/) {
  return "BertForMultipleChoice";
}

/// The class and what all pipelines have. `Model` is the model's class.
template <class Answers, class Model>
nb::class_<Answers> bind_pipeline(nb::module_& module, const char* name) {
  nb::class_<Answers> bound(module, name);
  bound
      .def_static(
          "from_pretrained",
          [](const std::filesystem::path& directory, std::string_view precision,
             std::vector<std::string> keep, std::int64_t batch_tokens) {
            const PipelineOptions options{.load = load_options(precision, std::move(keep)),
                                          .batch_tokens = batch_tokens};
            Call call;
            return call.run([&] { return Answers::from_pretrained(directory, options); });
          },
          nb::arg("directory"), nb::arg("precision") = "float32",
          nb::arg("keep") = std::vector<std::string>(), nb::arg("batch_tokens") = 8192)
      .def_static(
          "of",
          [](const LoadedModel& model, const Tokenizer& tokenizer, std::int64_t batch_tokens) {
            return Answers(model_of<Model>(model), tokenizer, batch_tokens);
          },
          nb::arg("model"), nb::arg("tokenizer"), nb::arg("batch_tokens") = 8192)
      .def_prop_ro("tokenizer", [](const Answers& answers) { return answers.tokenizer(); })
      .def_prop_ro("model",
                   [](const Answers& answers) {
                     return LoadedModel{std::string(class_name(answers.model())), answers.model()};
                   })
      .def_prop_ro("warnings", [](const Answers& answers) { return answers.warnings(); })
      .def_prop_ro("max_length", [](const Answers& answers) { return answers.max_length(); });
  return bound;
}

nb::list labels_of(const std::vector<std::vector<LabelScore>>& all) {
  nb::list result;
  for (const auto& scores : all) {
    nb::list of_text;
    for (const auto& score : scores) {
      nb::dict entry;
      entry["label"] = score.label;
      entry["score"] = score.score;
      of_text.append(entry);
    }
    result.append(of_text);
  }
  return result;
}

TextLimits limits_of(std::int64_t max_length, bool truncate) {
  return {.max_length = max_length, .truncate = truncate, .name = python_name()};
}

void bind_classification(nb::module_& module) {
  bind_pipeline<TextClassificationPipeline, BertForSequenceClassification>(module,
                                                                           "TextClassification")
      .def(
          "__call__",
          [](const TextClassificationPipeline& classify, nb::handle texts, nb::handle pairs,
             std::int64_t top_k, std::string_view function, std::int64_t max_length, bool truncate,
             nb::object progress) {
            const TextsOrPairs input(texts, pairs);
            const TextClassificationOptions options{.top_k = top_k,
                                                    .function_to_apply = function_from(function),
                                                    .limits = limits_of(max_length, truncate)};
            Call call(std::move(progress));
            return labels_of(
                call.run([&] { return classify(input.view(), options, call.callback()); }));
          },
          nb::arg("texts").none(), nb::arg("pairs").none() = nb::none(), nb::arg("top_k") = 1,
          nb::arg("function_to_apply") = "default", nb::arg("max_length") = 0,
          nb::arg("truncate") = false, nb::arg("progress").none() = nb::none())
      .def(
          "logits",
          [](const TextClassificationPipeline& classify, nb::handle texts, nb::handle pairs,
             std::int64_t max_length, nb::object progress) {
            const TextsOrPairs input(texts, pairs);
            const TextClassificationOptions options{.top_k = 0,
                                                    .function_to_apply = ScoreFunction::none,
                                                    .limits = limits_of(max_length, true)};
            Call call(std::move(progress));
            const auto columns = static_cast<std::size_t>(classify.config().num_labels());
            auto logits = call.run([&] {
              std::vector<float> values(input.size() * columns);
              const auto all = classify(input.view(), options, call.callback());
              for (std::size_t row = 0; row < all.size(); ++row) {
                for (const auto& label : all[row]) {
                  values[row * columns + label.index] = static_cast<float>(label.score);
                }
              }
              return values;
            });
            return array_of(std::move(logits), {input.size(), columns});
          },
          nb::arg("texts").none(), nb::arg("pairs").none() = nb::none(), nb::arg("max_length") = 0,
          nb::arg("progress").none() = nb::none());
  bind_pipeline<ZeroShotClassificationPipeline, BertForSequenceClassification>(
      module, "ZeroShotClassification")
      .def(
          "__call__",
          [](const ZeroShotClassificationPipeline& classify, nb::handle texts,
             const std::vector<std::string>& labels, std::string hypothesis_template,
             bool multi_label, bool truncate, nb::object progress) {
            const TextList input(texts, "sequences");
            const ZeroShotClassificationOptions options{
                .hypothesis_template = std::move(hypothesis_template),
                .multi_label = multi_label,
                .limits = limits_of(0, truncate)};
            Call call(std::move(progress));
            return labels_of(call.run(
                [&] { return classify(input.views(), labels, options, call.callback()); }));
          },
          nb::arg("texts").none(), nb::arg("labels"),
          nb::arg("hypothesis_template") = "This example is {}.", nb::arg("multi_label") = false,
          nb::arg("truncate") = true, nb::arg("progress").none() = nb::none());
}

void bind_tokens(nb::module_& module) {
  bind_pipeline<TokenClassificationPipeline, BertForTokenClassification>(module,
                                                                         "TokenClassification")
      .def(
          "__call__",
          [](const TokenClassificationPipeline& tag, nb::handle texts, std::string_view strategy,
             std::vector<std::string> ignore_labels, std::int64_t stride, nb::object progress) {
            const TextList input(texts, "texts");
            const auto aggregation = aggregation_from(strategy);
            const TokenClassificationOptions options{.aggregation = aggregation,
                                                     .ignore_labels = std::move(ignore_labels),
                                                     .stride = stride};
            Call call(std::move(progress));
            const auto tagged =
                call.run([&] { return tag(input.views(), options, call.callback()); });
            const bool tokens = aggregation == Aggregation::none;
            nb::list result;
            for (const auto& entities : tagged) {
              nb::list of_text;
              for (const auto& entity : entities) {
                nb::dict entry;
                entry[tokens ? "entity" : "entity_group"] = entity.label;
                entry["score"] = entity.score;
                if (tokens) entry["index"] = entity.index;
                entry["word"] = entity.word;
                entry["start"] = entity.offsets.begin;
                entry["end"] = entity.offsets.end;
                of_text.append(entry);
              }
              result.append(of_text);
            }
            return result;
          },
          nb::arg("texts").none(), nb::arg("aggregation_strategy") = "none",
          nb::arg("ignore_labels") = std::vector<std::string>{"O"}, nb::arg("stride") = 128,
          nb::arg("progress").none() = nb::none());
  bind_pipeline<FillMaskPipeline, BertForMaskedLM>(module, "FillMask")
      .def(
          "__call__",
          [](const FillMaskPipeline& fill, nb::handle texts, std::int64_t top_k,
             std::vector<std::string> targets, bool truncate, nb::object progress) {
            const TextList input(texts, "texts");
            const FillMaskOptions options{
                .top_k = top_k, .targets = std::move(targets), .limits = limits_of(0, truncate)};
            Call call(std::move(progress));
            const auto filled =
                call.run([&] { return fill(input.views(), options, call.callback()); });
            nb::list result;
            for (const auto& masks : filled) {
              nb::list of_text;
              for (const auto& mask : masks) {
                nb::list of_mask;
                for (const auto& candidate : mask.candidates) {
                  nb::dict entry;
                  entry["score"] = candidate.score;
                  entry["token"] = candidate.id;
                  const std::int32_t id[] = {candidate.id};
                  entry["token_str"] = fill.tokenizer().decode(id, false);
                  entry["sequence"] = candidate.sequence;
                  of_mask.append(entry);
                }
                of_text.append(of_mask);
              }
              result.append(of_text);
            }
            return result;
          },
          nb::arg("texts").none(), nb::arg("top_k") = 5,
          nb::arg("targets") = std::vector<std::string>(), nb::arg("truncate") = false,
          nb::arg("progress").none() = nb::none())
      .def("resolve", [](const FillMaskPipeline& fill, const std::vector<std::string>& targets) {
        nb::list result;
        for (const auto& target : fill.resolve(targets)) {
          result.append(
              nb::make_tuple(target.target, target.token, target.id, target.in_vocabulary));
        }
        return result;
      });
  bind_pipeline<FeatureExtractionPipeline, BertModel>(module, "FeatureExtraction")
      .def(
          "__call__",
          [](const FeatureExtractionPipeline& extract, nb::handle texts, nb::handle pairs,
             std::int64_t max_length, bool truncate, nb::object progress) {
            const TextsOrPairs input(texts, pairs);
            FeatureExtractionOptions options;
            options.limits = limits_of(max_length, truncate);
            Call call(std::move(progress));
            auto features =
                call.run([&] { return extract(input.view(), options, call.callback()); });
            nb::list result;
            for (auto& feature : features) {
              result.append(nb::make_tuple(array_of(std::move(feature.ids)),
                                           array_of(std::move(feature.vectors), false)));
            }
            return result;
          },
          nb::arg("texts").none(), nb::arg("pairs").none() = nb::none(), nb::arg("max_length") = 0,
          nb::arg("truncate") = false, nb::arg("progress").none() = nb::none());
}

void bind_answers(nb::module_& module) {
  bind_pipeline<QuestionAnsweringPipeline, BertForQuestionAnswering>(module, "QuestionAnswering")
      .def(
          "__call__",
          [](const QuestionAnsweringPipeline& answer, nb::handle questions, nb::handle contexts,
             std::int64_t top_k, std::int64_t max_answer_length, bool impossible,
             bool align_to_words, std::int64_t max_length, std::int64_t stride,
             std::int64_t max_question_length, nb::object progress) {
            const TextList asked(questions, "question");
            const TextList read(contexts, "context");
            std::vector<QuestionContext> pairs;
            pairs.reserve(asked.size());
            for (std::size_t i = 0; i < asked.size(); ++i) {
              pairs.push_back({asked.views()[i], read.views()[i]});
            }
            const QuestionAnsweringOptions options{.top_k = top_k,
                                                   .max_answer_length = max_answer_length,
                                                   .handle_impossible_answer = impossible,
                                                   .align_to_words = align_to_words,
                                                   .max_length = max_length,
                                                   .stride = stride,
                                                   .max_question_length = max_question_length};
            Call call(std::move(progress));
            const auto found = call.run([&] { return answer(pairs, options, call.callback()); });
            nb::list result;
            for (const auto& answers : found) {
              nb::list of_question;
              for (const auto& best : answers) {
                nb::dict entry;
                entry["score"] = best.score;
                entry["start"] = best.offsets.begin;
                entry["end"] = best.offsets.end;
                entry["answer"] = best.text;
                of_question.append(entry);
              }
              result.append(of_question);
            }
            return result;
          },
          nb::arg("questions").none(), nb::arg("contexts"), nb::arg("top_k") = 1,
          nb::arg("max_answer_len") = 15, nb::arg("handle_impossible_answer") = false,
          nb::arg("align_to_words") = true, nb::arg("max_seq_len") = 0, nb::arg("doc_stride") = 128,
          nb::arg("max_question_len") = 64, nb::arg("progress").none() = nb::none());
  bind_pipeline<NextSentencePipeline, BertForNextSentencePrediction>(module, "NextSentence")
      .def(
          "__call__",
          [](const NextSentencePipeline& predict, nb::handle texts, nb::handle pairs, bool truncate,
             nb::object progress) {
            const TextsOrPairs input(texts, pairs);
            const NextSentenceOptions options{.limits = limits_of(0, truncate)};
            Call call(std::move(progress));
            const auto scores =
                call.run([&] { return predict(input.view(), options, call.callback()); });
            nb::list result;
            for (const auto& score : scores) {
              nb::dict entry;
              entry["is_next"] = score.is_next;
              result.append(entry);
            }
            return result;
          },
          nb::arg("texts").none(), nb::arg("pairs"), nb::arg("truncate") = false,
          nb::arg("progress").none() = nb::none());
  bind_pipeline<MultipleChoicePipeline, BertForMultipleChoice>(module, "MultipleChoice")
      .def(
          "__call__",
          [](const MultipleChoicePipeline& choose, nb::handle prompts, const nb::sequence& choices,
             bool truncate, nb::object progress) {
            const TextList texts(prompts, "prompts");
            std::vector<TextList> lists;
            lists.reserve(texts.size());
            for (nb::handle list : choices) {
              lists.emplace_back(list, "choices[" + std::to_string(lists.size()) + "]");
            }
            std::vector<Prompt> input;
            for (std::size_t i = 0; i < texts.size(); ++i) {
              input.push_back({texts.views()[i], lists.at(i).views()});
            }
            const MultipleChoiceOptions options{.limits = limits_of(0, truncate)};
            Call call(std::move(progress));
            const auto chosen = call.run([&] { return choose(input, options, call.callback()); });
            nb::list result;
            for (const auto& choice : chosen) {
              nb::dict entry;
              entry["choice"] = choice.choice;
              entry["scores"] = choice.scores;
              result.append(entry);
            }
            return result;
          },
          nb::arg("prompts").none(), nb::arg("choices"), nb::arg("truncate") = false,
          nb::arg("progress").none() = nb::none());
}

void bind_ranking(nb::module_& module) {
  bind_pipeline<CrossEncoder, BertForSequenceClassification>(module, "CrossEncoder")
      .def_prop_ro("activation",
                   [](const CrossEncoder& encoder) { return std::string(encoder.activation()); })
      .def_prop_ro("max_seq_length",
                   [](const CrossEncoder& encoder) { return encoder.max_length(); })
      .def_prop_ro("prompts", [](const CrossEncoder& encoder) { return encoder.prompts().prompts; })
      .def_prop_ro("default_prompt_name", [](const CrossEncoder& encoder) {
        return encoder.prompts().default_prompt_name;
      });
}

}  // namespace

void bind_pipelines(nb::module_& module) {
  bind_classification(module);
  bind_tokens(module);
  bind_answers(module);
  bind_ranking(module);
}

}  // namespace cloze::python
