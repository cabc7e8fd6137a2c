/// \file
/// Routes that answer with labels and ranks, and those of the tokenizer:
/// text-embeddings-inference's, and rerank as Jina and Cohere have it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cloze/text_classification.h"
#include "serve/routes/inputs.h"
#include "serve/service.h"

namespace cloze::serve {

[[nodiscard]] Reply predict(const Service& service, const Asked& asked);  // /predict
/// `texts` in the body: text-embeddings-inference's list; `documents`: Jina's object.
[[nodiscard]] Reply rerank(const Service& service, const Asked& asked);         // /rerank
[[nodiscard]] Reply jina_rerank(const Service& service, const Asked& asked);    // /v1/rerank
[[nodiscard]] Reply cohere_rerank(const Service& service, const Asked& asked);  // /v2/rerank
/// `texts` or `documents`: a list of {index, score, text}, as Elasticsearch reads it.
[[nodiscard]] Reply rank_list(const Service& service, const Asked& asked);  // / of a ranking model
[[nodiscard]] Reply tokenize(const Service& service, const Asked& asked);   // /tokenize
[[nodiscard]] Reply decode(const Service& service, const Asked& asked);     // /decode

/// `{"label":...,"score":...}` of each, best first, as a list.
void append_labels(std::string& out, const std::vector<LabelScore>& labels);

/// The work of labelling texts and pairs with all labels, best first.
using LabelJob = BatchJob<TextOrPair, std::vector<LabelScore>>;
[[nodiscard]] std::shared_ptr<LabelJob> label_job(const ServedModel& model,
                                                  std::vector<TextOrPair> inputs,
                                                  ScoreFunction function, const Fitting& fitting,
                                                  Reply& reply);

}  // namespace cloze::serve
