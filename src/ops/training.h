/// \file
/// The operations that training adds to `ops.h`: products of any two matrices, and what stands
/// between them, forward beside backward. Weights are plain row-major matrices here, because they
/// change with every step.
///
/// Everything called "+=" is added to what is there: gradients of parameters accumulate. The same
/// call gives the same bits again at the same number of threads, whichever thread does what; column
/// sums, norms and losses also at any other number, while products, which are divided by it, differ
/// in their last bits. Called from a sequential region, operations divide their work over
/// `num_threads()`.
///
/// "compute" is the dtype that products are made in, f32 or bf16; sums, statistics and gradients of
/// parameters are f32 always.
#pragma once

#include <cstdint>
#include <span>

#include "ops/context.h"
#include "ops/matrix.h"
#include "ops/ops.h"

namespace cloze::ops {

/// Dropout (Srivastava et al., JMLR 2014), inverted: an element is zero with `probability`, else
/// divided by what is left. Whether element (row, column) is kept follows from seed, stream, row
/// and column alone (Philox; the probability is rounded to a multiple of 2^-16), so that the
/// backward pass finds the forward's mask again without storing it.
struct Dropout {
  float probability = 0;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
};

/// What an element of a row is multiplied by: 0, or 1 / (1 - probability). For tests and
/// references.
void dropout_factors(const Dropout& dropout, std::int64_t row, std::span<float> factors);

/// One side of a product.
struct Factor {
  ConstMatrix matrix;
  bool transposed = false;
  [[nodiscard]] std::int64_t rows() const { return transposed ? matrix.cols : matrix.rows; }
  [[nodiscard]] std::int64_t cols() const { return transposed ? matrix.rows : matrix.cols; }
};

/// c [m, n] = a [m, k] · b [k, n] + bias [n] (empty: none); a and b of one dtype, f32 or bf16,
/// summed in f32; c of theirs or f32. Any strides.
void multiply(Context& context, Factor a, Factor b, Matrix c, std::span<const float> bias = {});

/// c += a · b, c in f32.
void multiply_add(Context& context, Factor a, Factor b, Matrix c);

/// What the backward pass of a layer norm needs of its forward.
struct SavedNorm {
  Matrix normalized;         ///< [rows, cols] compute: (z - mean) / deviation
  std::span<float> inverse;  ///< [rows]: 1 / deviation
};

/// Scale and shift of a layer norm, [cols] each.
struct NormParameters {
  std::span<const float> gamma;
  std::span<const float> beta;
  float epsilon = 1e-12F;
};

/// y [rows, cols] = layer_norm(z), z = dropout(x) + residual. A residual without data is zero.
void residual_norm(Context& context, ConstMatrix x, const Dropout& dropout, ConstMatrix residual,
                   const NormParameters& parameters, SavedNorm saved, Matrix y);

/// Where the gradients of a layer norm's parameters, and of the bias before it, go (+=, [cols];
/// empty: not wanted).
struct NormGradients {
  std::span<float> gamma;
  std::span<float> beta;
  std::span<float> bias;
};

/// The backward of residual_norm: from d_y f32 [rows, cols] to d_z f32, which may be d_y, and
/// d_x = dropout'(d_z) in compute (without data: not wanted). With g = d_y∘gamma and n the
/// normalized values, d_z = inverse·(g - mean(g) - n·mean(g∘n)).
void residual_norm_backward(Context& context, ConstMatrix d_y, const SavedNorm& saved,
                            const Dropout& dropout, std::span<const float> gamma, Matrix d_z,
                            Matrix d_x, const NormGradients& gradients);

/// y = dropout(x), which may be the same memory; f32 or bf16.
void apply_dropout(Context& context, ConstMatrix x, const Dropout& dropout, Matrix y);

/// y = activation(x), y of x's dtype. gelu by erf to 1.4e-6.
void activate(Context& context, ConstMatrix x, Epilogue activation, Matrix y);

/// d_x = d_y∘activation'(x), which may be d_y's memory; y = activation(x) again (without data: not
/// wanted); bias_gradient += the column sums of d_x (empty: not wanted).
void activate_backward(Context& context, ConstMatrix x, Epilogue activation, ConstMatrix d_y,
                       Matrix d_x, Matrix y, std::span<float> bias_gradient);

/// sums [cols] += the column sums of x.
void add_column_sums(Context& context, ConstMatrix x, std::span<float> sums);

/// Queries, keys and values of attention, of one dtype, heads side by side: [queries, hidden] and
/// [tokens, hidden]. All tokens are queries, or some of each sequence's: what a head that looks at
/// few tokens needs of the last layer.
struct AttentionInputs {
  ConstMatrix q, k, v;
  std::span<const std::int32_t> cu_queries = {};  ///< [sequences + 1]; empty: all are queries
};

/// Queries, keys and values that lie side by side, [tokens, 3·hidden].
template <class M>
[[nodiscard]] M attention_part(const M& qkv, std::int64_t index) {
  return qkv.cols_from(index * (qkv.cols / 3), qkv.cols / 3);
}

/// Elements that a query's row of probabilities takes for dropout: a multiple of this.
inline constexpr std::int64_t kKeyColumns = 16;

/// Attention as ops::attention has it, with dropout on the probabilities, y [queries, hidden]. For
/// dropout all probabilities of a sequence's head are one row, head·tokens + the sequence's first
/// token, in which the probability of the sequence's query i and key j is column i·keys + j, keys
/// being the sequence's length rounded up to kKeyColumns.
void attention_forward(Context& context, const AttentionInputs& in, const AttentionShape& shape,
                       const Dropout& dropout, Matrix y);

/// Like AttentionInputs; every element is written.
struct AttentionGradients {
  Matrix q, k, v;
};

/// The gradients of the inputs from d_y [queries, hidden]. Probabilities are computed again;
/// nothing of size length² is kept. With P the probabilities, D dropout's factors:
/// dV = (P∘D)ᵀ·dY, dP = (dY·Vᵀ)∘D, dS = P∘(dP - rowsum(P∘dP)) / sqrt(head_dim), dQ = dS·K,
/// dK = dSᵀ·Q.
void attention_backward(Context& context, const AttentionInputs& in, ConstMatrix d_y,
                        const AttentionShape& shape, const Dropout& dropout,
                        const AttentionGradients& out);

/// z [tokens, hidden] f32 = word[id] + position[p] + token_type[t], tables f32.
void embedding_sum(Context& context, const EmbeddingTables& tables, const EmbeddingIndices& indices,
                   Matrix z);

/// Gradients of the three tables, f32: every row += the d_z of the tokens that took it, but for the
/// word `padding` (-1: none), which PyTorch's embeddings do not train either.
struct EmbeddingGradients {
  Matrix word;
  Matrix position;
  Matrix token_type;
  std::int64_t padding = -1;
};
void embedding_sum_backward(Context& context, ConstMatrix d_z, const EmbeddingIndices& indices,
                            const EmbeddingGradients& gradients);

/// to[indices[i]] += from[i], f32, but for the index `skipped`; an index may occur more than once.
void scatter_add_rows(Context& context, ConstMatrix from, std::span<const std::int32_t> indices,
                      Matrix to, std::int64_t skipped = -1);

/// Sums over rows of cross entropy.
struct CrossEntropy {
  double loss = 0;           ///< of -log softmax(logits)[label], nats
  std::int64_t correct = 0;  ///< rows whose label has the greatest logit
};

/// The loss of logits f32 [rows, classes] with labels [rows], and, where `d_logits` has data,
/// d_logits = scale·(softmax(logits) - onehot(label)) in its dtype. In f32 d_logits may be the
/// logits.
[[nodiscard]] CrossEntropy cross_entropy(Context& context, ConstMatrix logits,
                                         std::span<const std::int32_t> labels, double scale,
                                         Matrix d_logits);

/// What the losses below count: of all of them the gradient is that of scale·sum, and goes to
/// `d_logits` (without data: not wanted; it may be the logits). Everything is f32.
struct LossSum {
  double sum = 0;
  double weight = 0;          ///< what makes a mean of the sum
  std::int64_t labelled = 0;  ///< rows, or segments, that have a label
  std::int64_t correct = 0;   ///< of them, those whose label has the greatest logit
};

/// PyTorch's CrossEntropyLoss: with p = softmax of a row, w the classes' weights (empty: all 1), s
/// the smoothing, C classes and y the label, a row adds -(1-s)·w[y]·log p[y] - s/C·Σ w[c]·log p[c]
/// to the sum and w[y] to the weight. Rows whose label is `ignored` have no loss.
struct ClassLoss {
  std::span<const float> class_weights;
  double smoothing = 0;
  std::int32_t ignored = -100;
};
[[nodiscard]] LossSum class_cross_entropy(Context& context, ConstMatrix logits,
                                          std::span<const std::int32_t> labels,
                                          const ClassLoss& options, double scale, Matrix d_logits);

/// Cross entropy over the rows of each segment, for column `column` of the logits alone: which
/// token an answer begins with, which choice of a group is right. Rows cu_segments[i] to
/// cu_segments[i + 1] are segment i, labels[i] is a place in it, and each weighs 1.
[[nodiscard]] LossSum segment_cross_entropy(Context& context, ConstMatrix logits,
                                            std::int64_t column,
                                            std::span<const std::int32_t> cu_segments,
                                            std::span<const std::int32_t> labels, double smoothing,
                                            double scale, Matrix d_logits);

/// PyTorch's BCEWithLogitsLoss: log(1 + exp(-|x|)) + max(x, 0) - x·t for each element, weight 1.
[[nodiscard]] LossSum binary_cross_entropy(Context& context, ConstMatrix logits,
                                           std::span<const float> targets, double scale,
                                           Matrix d_logits);

/// PyTorch's MSELoss: (x - t)² for each element, weight 1.
[[nodiscard]] LossSum squared_error(Context& context, ConstMatrix logits,
                                    std::span<const float> targets, double scale, Matrix d_logits);

/// to = from in `to`'s dtype (f32 or bf16), as flat arrays of equal length over all threads.
void convert_values(std::span<const float> from, std::span<BFloat16> to);

}  // namespace cloze::ops
