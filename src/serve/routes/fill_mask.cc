#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "serve/json/fields.h"
#include "serve/json/writer.h"
#include "serve/request_error.h"
#include "serve/routes/inputs.h"
#include "serve/routes/tasks.h"

namespace cloze::serve {
namespace {

using Masks = std::vector<FilledMask>;

void append_mask(std::string& out, const ServedModel& model, const FilledMask& mask) {
  append_list(out, mask.candidates, [&](const MaskCandidate& each) {
    const std::array<std::int32_t, 1> id{each.id};
    out += '{';
    append_field(out, "score", static_cast<float>(each.score));
    append_field(out, "token", each.id);
    append_field(out, "token_str", model.tokenizer().decode(id, false));
    append_field(out, "sequence", each.sequence);
    out += '}';
  });
}

/// The candidates of a lone mask, else a list of each mask's.
void append_masks(std::string& out, const ServedModel& model, const Masks& masks) {
  if (masks.size() == 1) {
    append_mask(out, model, masks.front());
    return;
  }
  append_list(out, masks, [&](const FilledMask& mask) { append_mask(out, model, mask); });
}

}  // namespace

Reply fill_mask(const Service& service, const Asked& asked) {
  const auto& model = service.choose(
      asked.model, [](const ServedModel& each) { return each.filler.has_value(); }, "fill-mask");
  const Fields fields(asked.body);
  const auto parameters = fields.object("parameters");
  const auto fitting = fitting_of(service, model, parameters, false, false);
  FillMaskOptions options;
  const auto most =
      std::min<std::int64_t>(service.limits().most_top_k, model.tokenizer().vocab_size());
  options.top_k = parameters.count("top_k", 1, most).value_or(std::min<std::int64_t>(5, most));
  options.targets = parameters.texts("targets", 1000).value_or(std::vector<std::string>{});
  options.limits.truncate = true;
  bool single = false;
  auto texts = read_texts(service, fields, "inputs", single);
  auto job = std::make_shared<BatchJob<std::string, Masks>>(
      [&model, options](std::span<const std::string> inputs, const ProgressCallback& progress) {
        return (*model.filler)(std::vector<std::string>(inputs.begin(), inputs.end()), options,
                               progress);
      });
  job->group = fmt::format("fill {} {}", fmt::ptr(&model), options.top_k);
  job->group += nlohmann::json(options.targets).dump();
  const auto mask = model.tokenizer().mask_token_id().value();
  Reply reply;
  reply.batch = !single;
  reply.inputs = texts.size();
  std::int64_t answer_bytes = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto ids = fit(model, texts[i], i, fitting, reply);
    const auto masks = std::count(ids.begin(), ids.end(), mask);
    if (masks == 0) {
      throw invalid(
          fmt::format("input {} of `inputs` has no {}{}", i, model.tokenizer().id_to_token(mask),
                      reply.truncated > 0 ? " within what the model reads" : ""),
          "inputs");
    }
    answer_bytes += masks * options.top_k *
                    static_cast<std::int64_t>(100 + std::min(texts[i].size(), ids.size() * 16));
    job->tokens.push_back(static_cast<std::int64_t>(ids.size()));
  }
  if (answer_bytes > service.limits().most_answer_bytes) {
    throw RequestError(413, "Validation",
                       fmt::format("the answer would have about {} bytes, and {} are the most: ask "
                                   "for fewer `top_k`, masks or texts",
                                   answer_bytes, service.limits().most_answer_bytes),
                       "parameters.top_k");
  }
  job->inputs = std::move(texts);
  reply.write = [job = job.get(), &model, single] {
    std::string out;
    if (single) {
      append_masks(out, model, job->outputs.front());
    } else {
      append_list(out, job->outputs, [&](const Masks& masks) { append_masks(out, model, masks); });
    }
    return out;
  };
  reply.job = std::move(job);
  return reply;
}

}  // namespace cloze::serve
