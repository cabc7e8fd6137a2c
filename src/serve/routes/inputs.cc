#include "serve/routes/inputs.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cloze/tokenizer.h"
#include "serve/request_error.h"

namespace cloze::serve {
namespace {

using nlohmann::json;

std::int32_t read_id(const ServedModel& model, const json& value, std::size_t input,
                     const std::string& name) {
  const auto vocabulary = model.tokenizer().vocab_size();
  if (!value.is_number_integer()) {
    throw invalid(fmt::format("input {} of `{}` has {} among its token ids: ids are whole numbers",
                              input, name, kind_of(value)),
                  name);
  }
  const bool negative = !value.is_number_unsigned() && value.get<std::int64_t>() < 0;
  if (negative || value.get<std::uint64_t>() >= static_cast<std::uint64_t>(vocabulary)) {
    throw invalid(
        fmt::format("token id {} of input {} is not in this model's vocabulary of {}: ids of "
                    "another tokenizer? Send text (langchain: check_embedding_ctx_length=False)",
                    value.dump(), input, vocabulary),
        name);
  }
  return value.get<std::int32_t>();
}

std::vector<std::int32_t> read_ids(const ServedModel& model, const json& list, std::size_t input,
                                   const std::string& name) {
  if (list.empty()) {
    throw empty(fmt::format("input {} of `{}` is an empty list of token ids", input, name), name);
  }
  std::vector<std::int32_t> ids;
  ids.reserve(list.size());
  for (const auto& each : list) ids.push_back(read_id(model, each, input, name));
  return ids;
}

RequestError wrong_shape(const Fields& fields, const std::string& name, const json& value) {
  return invalid(fmt::format("{} holds {}: it must be a string, a list of strings, or token ids",
                             fields.shown(name), kind_of(value)),
                 name);
}

RequestError too_long(std::size_t index, std::int64_t tokens, std::int64_t limit) {
  return invalid(fmt::format("input {} has {} tokens, and this model reads {}: shorten it, or let "
                             "it be cut with \"truncate\": true",
                             index, tokens, limit),
                 "inputs");
}

// The tokens of a text with its pair, and whether they are over the limit.
std::int64_t whole_length(const Tokenizer& tokenizer, std::string_view text,
                          std::optional<std::string_view> pair) {
  return pair ? tokenizer.count_tokens(text, *pair) : tokenizer.count_tokens(text);
}

}  // namespace

Fitting fitting_of(const Service& service, const ServedModel& model, const Fields& fields,
                   bool prompts, bool left_allowed) {
  Fitting fitting{.truncate = fields.boolean("truncate", service.limits().auto_truncate)};
  const auto direction = fields.text("truncation_direction").value_or("right");
  if (direction == "left" || direction == "Left") {
    if (!left_allowed) {
      throw invalid(
          "`truncation_direction` is \"left\", which this route does not do: leave it "
          "out, or shorten the texts",
          "truncation_direction");
    }
    fitting.left = true;
  } else if (direction != "right" && direction != "Right") {
    throw invalid(fmt::format("`truncation_direction` is {}: it must be \"left\" or \"right\"",
                              in_quotes(direction)),
                  "truncation_direction");
  }
  if (!prompts) return fitting;
  const auto name = fields.text("prompt_name");
  try {
    fitting.prompt = model.prompts().resolve(std::nullopt, name);
  } catch (const ArgumentError& error) {
    throw invalid(fmt::format("`prompt_name`: {}", error.what()), "prompt_name");
  }
  return fitting;
}

void require_batch(const Service& service, std::size_t inputs, const std::string& shown) {
  const auto most = service.limits().most_inputs;
  if (inputs > most) {
    throw invalid(
        fmt::format("batch size {} > maximum allowed batch size {}: divide {} over "
                    "several requests",
                    inputs, most, shown));
  }
}

std::vector<Input> read_inputs(const Service& service, const ServedModel& model,
                               const Fields& fields, const std::string& name, bool& single) {
  const auto& value = fields.need(name);
  single = true;
  if (value.is_string()) return {value.get<std::string>()};
  if (!value.is_array()) throw wrong_shape(fields, name, value);
  if (value.empty()) {
    throw empty(fmt::format("{} cannot be empty: send at least one text", fields.shown(name)),
                name);
  }
  if (value.front().is_number()) return {read_ids(model, value, 0, name)};
  single = false;
  require_batch(service, value.size(), fields.shown(name));
  std::vector<Input> inputs;
  inputs.reserve(value.size());
  for (const auto& each : value) {
    if (each.is_string()) {
      inputs.emplace_back(each.get<std::string>());
    } else if (each.is_array()) {
      inputs.emplace_back(read_ids(model, each, inputs.size(), name));
    } else {
      throw wrong_shape(fields, name, each);
    }
  }
  return inputs;
}

std::vector<std::string> read_texts(const Service& service, const Fields& fields,
                                    const std::string& name, bool& single) {
  const auto& value = fields.need(name);
  single = value.is_string();
  if (single) return {value.get<std::string>()};
  auto texts = *fields.texts(name, value.is_array() ? std::max(value.size(), std::size_t{1}) : 1);
  if (texts.empty()) {
    throw empty(fmt::format("{} cannot be empty: send at least one text", fields.shown(name)),
                name);
  }
  require_batch(service, texts.size(), fields.shown(name));
  return texts;
}

std::int64_t prompt_tokens(const ServedModel& model, const std::string& prompt) {
  return prompt.empty() ? 0 : model.tokenizer().count_tokens(prompt) - 1;
}

std::vector<std::int32_t> fit(const ServedModel& model, const Input& input, std::size_t index,
                              const Fitting& fitting, Reply& reply) {
  const auto limit = model.max_length();
  const auto& tokenizer = model.tokenizer();
  std::vector<std::int32_t> ids;
  std::int64_t length = 0;
  if (const auto* text = std::get_if<std::string>(&input)) {
    reply.characters += text->size();
    const auto whole = fitting.prompt.empty() ? *text : fitting.prompt + *text;
    // One token more tells whether the text is too long.
    EncodeOptions options{.truncation = Truncation::longest_first,
                          .max_length = static_cast<std::int32_t>(limit + 1),
                          .overflowing = false};
    if (fitting.left) options.truncation_side = Side::left;
    Batch batch;
    length = tokenizer.append_to(batch, whole, options);
    if (length > limit) {
      if (!fitting.truncate) throw too_long(index, tokenizer.count_tokens(whole), limit);
      options.max_length = static_cast<std::int32_t>(limit);
      batch.clear();
      tokenizer.append_to(batch, whole, options);
    }
    ids = std::move(batch.input_ids);
  } else {
    ids = std::get<std::vector<std::int32_t>>(input);
    if (!fitting.prompt.empty()) {
      const auto before =
          tokenizer.encode(fitting.prompt, EncodeOptions{.add_special_tokens = false}).ids;
      ids.insert(ids.begin(), before.begin(), before.end());
    }
    length = static_cast<std::int64_t>(ids.size());
    if (length > limit) {
      if (!fitting.truncate) throw too_long(index, length, limit);
      if (fitting.left) ids.erase(ids.begin(), ids.end() - limit);
      ids.resize(static_cast<std::size_t>(limit));
    }
  }
  if (length > limit) ++reply.truncated;
  reply.tokens += static_cast<std::int64_t>(ids.size());
  return ids;
}

std::int64_t count_fitting(const ServedModel& model, std::string_view text,
                           std::optional<std::string_view> pair, std::size_t index,
                           const Fitting& fitting, Reply& reply) {
  const auto limit = model.max_length();
  reply.characters += text.size() + (pair ? pair->size() : 0);
  std::string prompted;
  if (!fitting.prompt.empty()) {
    prompted = fitting.prompt + std::string(text);
    text = prompted;
  }
  const auto length = whole_length(model.tokenizer(), text, pair);
  if (length > limit) {
    if (!fitting.truncate) throw too_long(index, length, limit);
    ++reply.truncated;
  }
  const auto computed = std::min(length, limit);
  reply.tokens += computed;
  return computed;
}

}  // namespace cloze::serve
