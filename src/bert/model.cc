#include <fmt/format.h>

#include "bert/encoder.h"
#include "bert/heads.h"
#include "cloze/bert.h"
#include "cloze/error.h"

namespace cloze {

using internal::BertEncoder;

Precision precision_from(std::string_view name) {
  if (name == "f32") return Precision::f32;
  if (name == "bf16") return Precision::bf16;
  if (name == "int8") return Precision::int8;
  if (name == "auto") return Precision::best;
  throw ArgumentError(fmt::format("dtype \"{}\" is not one of f32, bf16, int8, auto", name));
}

std::string_view name_of(Precision precision) {
  switch (precision) {
    case Precision::f32:
      return "f32";
    case Precision::bf16:
      return "bf16";
    case Precision::int8:
      return "int8";
    case Precision::best:
      return "auto";
  }
  throw ArgumentError("not a precision");
}

Precision resolve(Precision wanted) {
  if (wanted != Precision::best) return wanted;
  return ops::accelerates(DType::bf16) ? Precision::bf16 : Precision::f32;
}

namespace internal {

LoadedEncoder load_encoder(const std::filesystem::path& directory, const LoadOptions& options) {
  auto config = BertConfig::from_pretrained(directory);
  CheckpointWeights weights(Checkpoint::open(directory));
  auto encoder = std::make_shared<const BertEncoder>(std::move(config), weights, options);
  return {std::move(weights), std::move(encoder)};
}

void require_head(const CheckpointWeights& weights, const std::string& tensor,
                  std::string_view what, std::string_view trained_as,
                  const std::filesystem::path& directory) {
  if (weights.contains(tensor)) return;
  throw ModelError(
      fmt::format("{} has no {} ({} is not among its tensors); use a checkpoint saved as {}",
                  directory.string(), what, tensor, trained_as));
}

void require_pooler(const BertEncoder& encoder, std::string_view what,
                    const std::filesystem::path& directory) {
  if (encoder.has_pooler()) return;
  throw ModelError(
      fmt::format("{} has no pooler (bert.pooler.dense is not among its tensors), which {} needs",
                  directory.string(), what));
}

}  // namespace internal

BertModel::BertModel(std::shared_ptr<const BertEncoder> encoder) : encoder_(std::move(encoder)) {}

BertModel BertModel::from_pretrained(const std::filesystem::path& directory,
                                     const LoadOptions& options) {
  return BertModel(internal::load_encoder(directory, options).encoder);
}

BertModel BertModel::random(const BertConfig& config, std::uint64_t seed,
                            const LoadOptions& options) {
  internal::RandomWeights weights(config, seed);
  return BertModel(std::make_shared<const BertEncoder>(config, weights, options));
}

BertOutput BertModel::operator()(const Batch& batch, const ForwardOptions& options) const {
  BertOutput output;
  encoder_->run(batch, options, output, [&](ops::Context& context, ops::Matrix hidden_states) {
    output.last_hidden_state = internal::to_tensor(context, hidden_states);
    if (encoder_->has_bert_pooler()) {
      const auto starts = internal::TokenSelection().rows_of_first(batch);
      output.pooler_output =
          internal::to_tensor(context, encoder_->pool(context, hidden_states, starts));
    }
  });
  return output;
}

const BertConfig& BertModel::config() const { return encoder_->config(); }
bool BertModel::has_pooler() const { return encoder_->has_bert_pooler(); }
Precision BertModel::precision() const { return encoder_->precision(); }
std::int64_t BertModel::num_parameters() const { return encoder_->num_parameters(); }

}  // namespace cloze
