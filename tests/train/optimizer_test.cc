// Optimizers against plain ones in doubles, and against PyTorch's numbers.
#include "train/optimizer/optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/error.h"
#include "core/io/atomic_file.h"
#include "core/parallel.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

using internal::Parameters;
using internal::ParameterShape;

const std::vector<ParameterShape> shapes{
    {"a.weight", {7, 33}}, {"a.bias", {33}}, {"b.weight", {300, 250}}};

void fill(std::span<float> values, std::mt19937_64& random, double scale) {
  std::normal_distribution<double> normal;
  for (auto& value : values) value = static_cast<float>(scale * normal(random));
}

void fill_gradients(Parameters& parameters, std::mt19937_64& random) {
  for (auto& parameter : parameters.all()) fill(parameter.gradient, random, 0.01);
}

/// The same steps, a value at a time.
struct Plain {
  OptimizerSettings settings;
  std::vector<std::vector<double>> value, m, v;
  std::int64_t steps = 0;

  Plain(Parameters& parameters, const OptimizerSettings& chosen) : settings(chosen) {
    for (const auto& parameter : parameters.all()) {
      value.emplace_back(parameter.value.begin(), parameter.value.end());
      m.emplace_back(parameter.value.size());
      v.emplace_back(parameter.value.size());
    }
  }

  double step(Parameters& parameters, double rate) {
    double squares = 0;
    for (const auto& parameter : parameters.all()) {
      for (const double g : parameter.gradient) squares += g * g;
    }
    const double norm = std::sqrt(squares), most = settings.max_grad_norm;
    const double scale = most > 0 && norm > most ? most / (norm + 1e-6) : 1;
    ++steps;
    const double left1 =
        settings.bias_correction ? 1 - std::pow(settings.beta1, static_cast<double>(steps)) : 1;
    const double left2 =
        settings.bias_correction ? 1 - std::pow(settings.beta2, static_cast<double>(steps)) : 1;
    const auto all = parameters.all();
    for (std::size_t p = 0; p < all.size(); ++p) {
      std::vector<double> update(all[p].value.size());
      double values = 0, updates = 0;
      for (std::size_t i = 0; i < update.size(); ++i) {
        const double g = scale * static_cast<double>(all[p].gradient[i]);
        m[p][i] = settings.beta1 * m[p][i] + (1 - settings.beta1) * g;
        v[p][i] = settings.beta2 * v[p][i] + (1 - settings.beta2) * g * g;
        update[i] = m[p][i] / left1 / (std::sqrt(v[p][i] / left2) + settings.epsilon) +
                    (all[p].decay ? settings.weight_decay : 0) * value[p][i];
        values += value[p][i] * value[p][i];
        updates += update[i] * update[i];
      }
      const bool adapts = settings.kind == OptimizerKind::lamb && all[p].decay && values > 0;
      const double trust = adapts ? std::sqrt(values / updates) : 1;
      for (std::size_t i = 0; i < update.size(); ++i) value[p][i] -= rate * trust * update[i];
    }
    return norm;
  }
};

void expect_same_course(const OptimizerSettings& settings) {
  std::mt19937_64 random(5);
  Parameters parameters(shapes);
  for (auto& parameter : parameters.all()) fill(parameter.value, random, 0.5);
  Plain plain(parameters, settings);
  Optimizer optimizer(parameters, settings);
  for (int i = 0; i < 5; ++i) {
    fill_gradients(parameters, random);
    const double rate = 1e-2 / (1 + i);
    const double norm = plain.step(parameters, rate);
    const auto step = optimizer.step(rate);
    EXPECT_TRUE(step.finite);
    EXPECT_NEAR(step.gradient_norm, norm, 1e-6 * norm);
    for (const float gradient : parameters.gradients()) ASSERT_EQ(gradient, 0.0F);
  }
  EXPECT_EQ(optimizer.steps(), 5);
  for (std::size_t p = 0; p < plain.value.size(); ++p) {
    const auto& parameter = parameters.all()[p];
    for (std::size_t i = 0; i < plain.value[p].size(); ++i) {
      ASSERT_NEAR(parameter.value[i], plain.value[p][i], 2e-6) << parameter.name << ' ' << i;
    }
  }
}

TEST(Optimizer, AdamWWithBiasCorrection) { expect_same_course({}); }
TEST(Optimizer, AdamWOfGoogle) { expect_same_course({.bias_correction = false}); }
TEST(Optimizer, AdamWWithoutClipping) { expect_same_course({.max_grad_norm = 0}); }
TEST(Optimizer, AdamWWhoseGradientsAreClipped) { expect_same_course({.max_grad_norm = 0.05}); }
TEST(Optimizer, Lamb) { expect_same_course({.kind = OptimizerKind::lamb, .weight_decay = 0.1}); }

// torch 2.15: p = tensor([0.5, -1.0, 2.0]); AdamW(lr=0.1, eps=1e-8, weight_decay=0.01); p.grad set
// to tensor([0.1, -0.2, 0.3]) before the first step and to tensor([-0.3, 0.1, 0.05]) before the
// second.
TEST(Optimizer, PyTorchsNumbers) {
  const std::vector<ParameterShape> one{{"p", {3}}};
  Parameters parameters(one);
  auto& p = parameters.at("p");
  p.value[0] = 0.5F, p.value[1] = -1.0F, p.value[2] = 2.0F;
  Optimizer optimizer(parameters, {.epsilon = 1e-8, .max_grad_norm = 0});
  const auto step = [&](float a, float b, float c) {
    p.gradient[0] = a, p.gradient[1] = b, p.gradient[2] = c;
    static_cast<void>(optimizer.step(0.1));
  };
  step(0.1F, -0.2F, 0.3F);
  EXPECT_NEAR(p.value[0], 0.3995000, 1e-6);
  EXPECT_NEAR(p.value[1], -0.8990000, 1e-6);
  EXPECT_NEAR(p.value[2], 1.8980000, 1e-6);
  step(-0.3F, 0.1F, 0.05F);
  EXPECT_NEAR(p.value[0], 0.4485195, 1e-6);
  EXPECT_NEAR(p.value[1], -0.8714673, 1e-6);
  EXPECT_NEAR(p.value[2], 1.8177693, 1e-6);
}

TEST(Optimizer, RoundedValuesFollowTheValues) {
  for (const auto kind : {OptimizerKind::adamw, OptimizerKind::lamb}) {
    std::mt19937_64 random(11);
    Parameters parameters(shapes), plain(shapes);
    std::vector<std::vector<BFloat16>> rounded;
    for (auto& parameter : parameters.all()) {
      fill(parameter.value, random, 1);
      std::ranges::copy(parameter.value, plain.at(parameter.name).value.begin());
      rounded.emplace_back(parameter.value.size());
      if (parameter.name != "a.bias") parameter.rounded = rounded.back();
    }
    // The table may be left for later only where nobody reads it whole.
    Optimizer optimizer(parameters, {.kind = kind}, "b.weight"), other(plain, {.kind = kind});
    for (int step = 0; step < 3; ++step) {
      fill_gradients(parameters, random);
      std::ranges::copy(parameters.gradients(), plain.gradients().begin());
      ASSERT_TRUE(optimizer.step(1e-3).finite);
      ASSERT_TRUE(other.step(1e-3).finite);
      for (const auto& parameter : parameters.all()) {
        EXPECT_TRUE(std::ranges::equal(parameter.value, plain.at(parameter.name).value));
        for (std::size_t i = 0; i < parameter.rounded.size(); ++i) {
          ASSERT_EQ(parameter.rounded[i].bits, BFloat16::from(parameter.value[i]).bits)
              << parameter.name << " " << i;
        }
      }
    }
  }
}

TEST(Optimizer, TheSameBitsAtAnyNumberOfThreads) {
  for (const auto kind : {OptimizerKind::adamw, OptimizerKind::lamb}) {
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 3}) {
      set_num_threads(threads);
      std::mt19937_64 random(5);
      Parameters parameters(shapes);
      for (auto& parameter : parameters.all()) fill(parameter.value, random, 0.5);
      Optimizer optimizer(parameters, {.kind = kind, .max_grad_norm = 0.5});
      for (int i = 0; i < 3; ++i) {
        fill_gradients(parameters, random);
        static_cast<void>(optimizer.step(1e-2));
      }
      const auto values = parameters.values();
      results.emplace_back(values.begin(), values.end());
    }
    set_num_threads(0);
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(results[0], results[2]);
  }
}

TEST(Optimizer, AGradientThatIsNotFiniteChangesNothing) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::mt19937_64 random(5);
    Parameters parameters(shapes);
    for (auto& parameter : parameters.all()) fill(parameter.value, random, 0.5);
    fill_gradients(parameters, random);
    parameters.at("b.weight").gradient[70000] = bad;
    const auto values = parameters.values();
    const std::vector<float> before(values.begin(), values.end());
    Optimizer optimizer(parameters, {});
    EXPECT_FALSE(optimizer.step(1e-2).finite);
    EXPECT_TRUE(std::equal(before.begin(), before.end(), values.begin()));
    EXPECT_EQ(optimizer.steps(), 0);
  }
}

TEST(Optimizer, ItsStateGoesOnWhereItWas) {
  const testing::TempDirectory directory;
  const auto file = directory.path() / "optimizer.safetensors";
  std::mt19937_64 random(5);
  Parameters straight(shapes), stopped(shapes);
  Optimizer all(straight, {});
  {
    Optimizer first(stopped, {});
    for (int i = 0; i < 2; ++i) {
      auto same = random;
      fill_gradients(straight, random);
      fill_gradients(stopped, same);
      static_cast<void>(all.step(1e-2));
      static_cast<void>(first.step(1e-2));
    }
    save_safetensors(file, first.state());
  }
  Optimizer second(stopped, {});
  second.load_state(Checkpoint::open(file));
  EXPECT_EQ(second.steps(), 2);
  auto same = random;
  fill_gradients(straight, random);
  fill_gradients(stopped, same);
  static_cast<void>(all.step(1e-2));
  static_cast<void>(second.step(1e-2));
  EXPECT_TRUE(
      std::equal(straight.values().begin(), straight.values().end(), stopped.values().begin()));

  const std::vector<ParameterShape> others{{"a.weight", {7, 34}}};
  Parameters other(others);
  Optimizer refused(other, {});
  EXPECT_THROW(refused.load_state(Checkpoint::open(file)), ModelError);
}

TEST(Optimizer, ACountOfStepsThatIsNoneIsRefused) {
  const testing::TempDirectory directory;
  const auto file = directory.path() / "optimizer.safetensors";
  Parameters parameters(shapes);
  Optimizer optimizer(parameters, {});
  auto state = optimizer.state();
  const auto refused = [&](const Tensor& step) {
    state.insert_or_assign("step", step);
    save_safetensors(file, state);
    EXPECT_THROW(optimizer.load_state(Checkpoint::open(file)), ModelError);
  };
  refused(Tensor::zeros(DType::i64, {0}));
  refused(Tensor::zeros(DType::i64, {2}));
  const std::int64_t negative = -1;
  refused(Tensor::from<std::int64_t>({1}, std::span(&negative, 1)));
  EXPECT_EQ(optimizer.steps(), 0);
}

/// Gradients of the table b.weight in a few rows alone, which are returned.
std::vector<std::int32_t> fill_some_rows(Parameters& parameters, std::mt19937_64& random) {
  fill_gradients(parameters, random);
  auto& table = parameters.at("b.weight");
  std::vector<std::int32_t> rows;
  for (std::int32_t row = 0; row < 300; ++row) {
    // The last rows are never read.
    if (row < 200 && random() % 20 == 0) {
      rows.insert(rows.end(), 2, row);
    } else {
      std::ranges::fill(table.gradient.subspan(static_cast<std::size_t>(row) * 250, 250), 0.0F);
    }
  }
  std::shuffle(rows.begin(), rows.end(), random);
  return rows;
}

TEST(Optimizer, ASparseTableGetsTheSameBits) {
  for (const bool bias_correction : {true, false}) {
    const OptimizerSettings settings{.bias_correction = bias_correction, .max_grad_norm = 0};
    std::mt19937_64 random(7);
    Parameters whole(shapes), sparse(shapes);
    for (auto& parameter : whole.all()) fill(parameter.value, random, 0.5);
    std::ranges::copy(whole.values(), sparse.values().begin());
    Optimizer plain(whole, settings), lazy(sparse, settings, "b.weight");
    const testing::TempDirectory directory;
    const auto expect_same = [&] {
      lazy.catch_up();
      ASSERT_TRUE(std::ranges::equal(whole.values(), sparse.values()));
    };
    for (int i = 0; i < 280; ++i) {
      auto same = random;
      const auto rows = fill_some_rows(whole, random);
      // A pass reads in parts, and finds the values that it would find otherwise.
      const auto half = static_cast<std::ptrdiff_t>(rows.size() / 2);
      lazy.read(std::span(rows.begin(), rows.begin() + half));
      lazy.read(std::span(rows.begin() + half, rows.end()));
      for (const auto row : rows) {
        const auto at = static_cast<std::size_t>(row) * 250;
        ASSERT_TRUE(std::ranges::equal(whole.at("b.weight").value.subspan(at, 250),
                                       sparse.at("b.weight").value.subspan(at, 250)));
      }
      static_cast<void>(fill_some_rows(sparse, same));
      const double rate = 1e-2 / (1 + i % 7);
      const auto norm = plain.step(rate).gradient_norm;
      EXPECT_NEAR(lazy.step(rate).gradient_norm, norm, 1e-6 * norm);
      if (i == 3 || i == 270) expect_same();
      if (i == 100) {  // saved, and gone on with by another
        expect_same();
        save_safetensors(directory.path() / "state.safetensors", lazy.state());
        lazy.load_state(Checkpoint::open(directory.path() / "state.safetensors"));
      }
    }
    expect_same();
    for (const float gradient : sparse.gradients()) ASSERT_EQ(gradient, 0.0F);
    const auto wanted = plain.state(), got = lazy.state();
    for (const auto& [name, tensor] : wanted) {
      EXPECT_TRUE(std::ranges::equal(tensor.bytes(), got.at(name).bytes())) << name;
    }
  }
}

TEST(Optimizer, ASparseTableRefusesRowsThatItHasNot) {
  Parameters parameters(shapes);
  Optimizer optimizer(parameters, {}, "b.weight");
  EXPECT_THROW(optimizer.read(std::vector<std::int32_t>{299, 300}), ArgumentError);
  EXPECT_THROW(optimizer.read(std::vector<std::int32_t>{-1}), ArgumentError);
}

TEST(Optimizer, NamesOfKinds) {
  EXPECT_EQ(optimizer_from("lamb"), OptimizerKind::lamb);
  EXPECT_EQ(name_of(optimizer_from("adamw")), "adamw");
  EXPECT_THROW(static_cast<void>(optimizer_from("sgd")), ArgumentError);
}

}  // namespace
}  // namespace cloze
