#include "bert/encoder.h"

#include <algorithm>

#include <fmt/format.h>

#include "checkpoint/family.h"
#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/rows.h"
#include "ops/transfer.h"

namespace cloze::internal {

ops::Epilogue epilogue_of(Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return ops::Epilogue::gelu;
    case Activation::gelu_tanh:
      return ops::Epilogue::gelu_tanh;
    case Activation::relu:
      return ops::Epilogue::relu;
    case Activation::silu:
      return ops::Epilogue::silu;
  }
  throw ArgumentError("not an activation");
}

Pooler own_pooler(const BertConfig& config) {
  const bool electra = family_of(config) == Family::electra;
  return {pooler_shape(config), electra ? ops::Epilogue::gelu : ops::Epilogue::tanh};
}

std::optional<Pooler> pooler_in(const WeightSource& weights, const BertConfig& config) {
  const auto own = own_pooler(config);
  const auto distilbert = pre_classifier_shape(config);
  const auto& name = own.shape.name;
  if (weights.contains(name + ".weight") || weights.contains(name + ".bias")) return own;
  if (weights.contains(distilbert.name + ".weight")) return Pooler{distilbert, ops::Epilogue::relu};
  return std::nullopt;
}

Tensor to_tensor(ops::Context& context, ops::ConstMatrix matrix) {
  ops::Output output(context, {matrix.rows, matrix.cols});
  if (matrix.rows > 0) ops::convert(context, matrix, output.matrix());
  return output.take();
}

void check_batch(const Batch& batch, const BertConfig& config) {
  const std::size_t tokens = batch.input_ids.size();
  if (batch.token_type_ids.size() != tokens || batch.position_ids.size() != tokens) {
    throw ArgumentError(
        fmt::format("a batch of {} input_ids has {} token_type_ids and {} position_ids", tokens,
                    batch.token_type_ids.size(), batch.position_ids.size()));
  }
  const auto& ends = batch.cu_seqlens;
  if (ends.empty() || ends.front() != 0 || ends.back() != static_cast<std::int64_t>(tokens)) {
    throw ArgumentError(
        fmt::format("cu_seqlens must run from 0 to the number of tokens, {}", tokens));
  }
  for (std::size_t i = 1; i < ends.size(); ++i) {
    if (ends[i] <= ends[i - 1]) {
      throw ArgumentError(fmt::format("sequence {} of the batch has no tokens", i - 1));
    }
  }
  const auto require = [](std::int32_t value, std::int64_t limit, std::string_view what,
                          std::size_t at) {
    if (value < 0 || value >= limit) {
      throw ArgumentError(
          fmt::format("{} {} of token {} is outside the model's {}", what, value, at, limit));
    }
  };
  for (std::size_t i = 0; i < tokens; ++i) {
    require(batch.input_ids[i], config.vocab_size, "input id", i);
    require(batch.token_type_ids[i], config.type_vocab_size, "token type", i);
    require(batch.position_ids[i], config.max_position_embeddings, "position", i);
  }
}

namespace {

/// The tokens that ForwardOptions::attended leaves to be attended to.
struct Seen {
  std::vector<std::int32_t> rows, cu_seqlens;  ///< both empty: all

  Seen(const Batch& batch, const ForwardOptions& options) {
    const auto& attended = options.attended;
    if (attended.empty()) return;
    if (options.output_attentions) {
      throw ArgumentError("attentions are not given where some tokens are not attended to");
    }
    if (static_cast<std::int64_t>(attended.size()) != batch.sequences()) {
      throw ArgumentError(fmt::format("{} numbers of attended tokens for {} sequences",
                                      attended.size(), batch.sequences()));
    }
    cu_seqlens.push_back(0);
    for (std::size_t s = 0; s < attended.size(); ++s) {
      const auto length = batch.length(static_cast<std::int64_t>(s));
      if (attended[s] < 1 || attended[s] > length) {
        throw ArgumentError(
            fmt::format("{} attended tokens of sequence {}, which has {}", attended[s], s, length));
      }
      for (std::int32_t i = 0; i < attended[s]; ++i) rows.push_back(batch.cu_seqlens[s] + i);
      cu_seqlens.push_back(static_cast<std::int32_t>(rows.size()));
    }
  }
};

}  // namespace

Precision resolve_on(const ops::Device& device, Precision wanted) {
  if (wanted != Precision::best) return wanted;
  return device.fastest_dtype() == DType::bf16 ? Precision::bf16 : Precision::f32;
}

namespace {

DType activation_dtype(const ops::Device& device, Precision precision) {
  switch (precision) {
    case Precision::bf16:
      return DType::bf16;
    case Precision::int8:
      return device.accelerates(DType::bf16) ? DType::bf16 : DType::f32;
    default:
      return DType::f32;
  }
}

}  // namespace

BertEncoder::BertEncoder(BertConfig config, WeightSource& weights, const LoadOptions& options,
                         const ops::Device& device)
    : config_(std::move(config)),
      device_(device),
      precision_(resolve_on(device, options.precision)),
      compute_(activation_dtype(device, precision_)),
      contexts_(device) {
  const auto& c = config_;
  const auto shapes = embedding_shapes(c);
  const auto table = [&](const auto& shape) {
    return ops::resident(device, weights.take(shape.name, shape.shape()));
  };
  word_embeddings_ = weights.take(shapes.word.name, shapes.word.shape());
  embeddings_.word = ops::resident(device, word_embeddings_);
  // A device with memory of its own has copies.
  if (embeddings_.word.bytes().data() == word_embeddings_.bytes().data()) watch_ = weights.watch();
  embeddings_.position = table(shapes.position);
  embeddings_.token_type = table(shapes.token_type);
  embeddings_.norm = weights.layer_norm(device, shapes.norm, c.layer_norm_eps);

  if (const auto shape = projection_shape(c)) {
    projection_ = weights.linear(device, {*shape}, compute_);
  }

  // What the products of a linear layer are computed in.
  const auto compute = [&](const std::string& name) {
    if (precision_ != Precision::int8) return compute_;
    const bool kept = std::any_of(options.keep.begin(), options.keep.end(), [&](const auto& part) {
      return name.find(part) != std::string::npos;
    });
    return kept ? compute_ : DType::i8;
  };
  const auto linear = [&](const LinearShape& shape) {
    return weights.linear(device, {shape}, compute(shape.name));
  };
  layers_.resize(static_cast<std::size_t>(c.num_hidden_layers));
  parallel_for(c.num_hidden_layers, 1, [&](std::int64_t index) {
    const auto shape = layer_shapes(c, index);
    auto& layer = layers_[static_cast<std::size_t>(index)];
    const auto qkv = compute(fmt::format("bert.encoder.layer.{}.attention.self.qkv", index));
    layer.qkv = weights.linear(device, {shape.query, shape.key, shape.value}, qkv);
    layer.attention_output = linear(shape.attention_output);
    layer.attention_norm = weights.layer_norm(device, shape.attention_norm, c.layer_norm_eps);
    layer.intermediate = linear(shape.intermediate);
    layer.output = linear(shape.output);
    layer.output_norm = weights.layer_norm(device, shape.output_norm, c.layer_norm_eps);
    layer.activation = epilogue_of(c.hidden_act);
    layer.heads = c.num_attention_heads;
  });
  // DPR's result is the first token itself, whatever else was stored beside it.
  const auto pooler = family_of(c) == Family::dpr ? std::nullopt : pooler_in(weights, c);
  if (pooler) {
    pooler_ = weights.linear(device, {pooler->shape}, DType::f32);
    pooler_activation_ = pooler->activation;
    bert_pooler_ = pooler->shape.name == kBertPooler;
  }
  num_parameters_ = count_elements(encoder_parameters(c, has_pooler()));
}

void BertEncoder::run(const Batch& batch, const ForwardOptions& options, BertOutput* output,
                      const TokenSelection& last, const Consumer& consume) const {
  check_batch(batch, config_);
  const Seen seen(batch, options);
  const auto lease = contexts_.borrow();
  auto& context = lease.context();
  if (options.profile != nullptr) context.start_profile();
  const std::int64_t tokens = batch.total_tokens();
  auto hidden = context.matrix(compute_, tokens, config_.hidden_size);
  if (tokens == 0) {
    if (options.output_hidden_states) {
      output->hidden_states.assign(layers_.size() + 1, to_tensor(context, hidden));
    }
    if (options.output_attentions) output->attentions.assign(layers_.size(), Tensor());
  } else {
    if (watch_) watch_();
    auto embedded = hidden;
    if (!projection_.empty()) {
      embedded = context.matrix(compute_, tokens, config_.embedding_width());
    }
    nn::forward(context, embeddings_, batch, embedded);
    if (watch_) watch_();
    if (!projection_.empty()) {
      ops::linear(context, embedded, projection_, ops::Epilogue::none, hidden);
    }
    std::int64_t probabilities = 0;
    for (std::int64_t i = 0; i < batch.sequences(); ++i) {
      probabilities += config_.num_attention_heads * batch.length(i) * batch.length(i);
    }
    auto buffers = nn::make_buffers(context, layers_.front(), compute_, tokens,
                                    static_cast<std::int64_t>(seen.rows.size()));
    const nn::SeenTokens seen_tokens{seen.rows, seen.cu_seqlens};
    for (const auto& layer : layers_) {
      if (options.output_hidden_states) output->hidden_states.push_back(to_tensor(context, hidden));
      std::optional<ops::Output> attentions;
      if (options.output_attentions) attentions.emplace(context, Shape{probabilities});
      if (&layer == &layers_.back() && !last.all()) {
        hidden = nn::forward_rows(context, layer, buffers,
                                  {batch.cu_seqlens, hidden, {}, seen_tokens}, last.tokens());
      } else {
        nn::forward(context, layer, buffers,
                    {batch.cu_seqlens, hidden,
                     attentions ? attentions->values() : std::span<float>(), seen_tokens});
      }
      if (attentions) output->attentions.push_back(attentions->take());
    }
    if (options.output_hidden_states) output->hidden_states.push_back(to_tensor(context, hidden));
  }
  consume(context, hidden);
  if (options.profile != nullptr) {
    for (const auto& cost : context.take_profile()) accumulate(*options.profile, cost);
  }
}

ops::Matrix BertEncoder::pool(ops::Context& context, ops::ConstMatrix hidden_states,
                              std::span<const std::int32_t> starts) const {
  if (!has_pooler()) {
    throw ModelError(
        "this checkpoint has no pooler (bert.pooler.dense is not among its tensors); use mean or "
        "cls pooling, or a checkpoint that was trained with one");
  }
  const auto sequences = static_cast<std::int64_t>(starts.size()), hidden = config_.hidden_size;
  const auto first = context.matrix(DType::f32, sequences, hidden);
  const auto pooled = context.matrix(DType::f32, sequences, hidden);
  ops::gather_rows(context, hidden_states, starts, first);
  ops::linear(context, first, pooler_, pooler_activation_, pooled);
  return pooled;
}

}  // namespace cloze::internal
