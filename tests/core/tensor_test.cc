#include "cloze/tensor.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"

namespace cloze {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The half of these bits, from the definition of IEEE 754's binary16.
double half_value(std::uint16_t bits) {
  const int sign = (bits & 0x8000U) != 0 ? -1 : 1;
  const int exponent = (bits >> 10U) & 31;
  const int fraction = bits & 1023;
  if (exponent == 31) return fraction != 0 ? std::nan("") : sign * double(kInfinity);
  if (exponent == 0) return std::copysign(std::ldexp(fraction, -24), sign);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }

/// Every f32 that is a half or lies at, or one step beside, the middle between two neighbours.
template <class Narrow>
void expect_rounding_to_nearest_even(std::uint16_t largest_finite) {
  for (std::uint32_t low = 0; low < largest_finite; ++low) {
    const auto high = low + 1;
    const double a = static_cast<float>(Narrow{static_cast<std::uint16_t>(low)});
    const double b = static_cast<float>(Narrow{static_cast<std::uint16_t>(high)});
    const auto middle = static_cast<float>((a + b) / 2);
    if (static_cast<double>(middle) != (a + b) / 2) continue;  // below f32's own resolution
    const auto even = low % 2 == 0 ? low : high;
    ASSERT_EQ(Narrow::from(middle).bits, even) << a;
    ASSERT_EQ(Narrow::from(std::nextafter(middle, 0.0F)).bits, low) << a;
    ASSERT_EQ(Narrow::from(std::nextafter(middle, kInfinity)).bits, high) << a;
    ASSERT_EQ(Narrow::from(-middle).bits, even | 0x8000U) << a;
  }
}

TEST(Float16, EveryValueIsThatOfTheStandard) {
  for (std::uint32_t bits = 0; bits <= 0xFFFFU; ++bits) {
    const Float16 half{static_cast<std::uint16_t>(bits)};
    const double expected = half_value(half.bits);
    const auto actual = static_cast<float>(half);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(actual)) << bits;
      continue;
    }
    ASSERT_EQ(bits_of(actual), bits_of(static_cast<float>(expected))) << bits;  // -0 is not 0
  }
}

TEST(Float16, EveryValueComesBack) {
  for (std::uint32_t bits = 0; bits <= 0xFFFFU; ++bits) {
    const Float16 half{static_cast<std::uint16_t>(bits)};
    const auto back = Float16::from(static_cast<float>(half));
    if (std::isnan(static_cast<float>(half))) {
      EXPECT_TRUE(std::isnan(static_cast<float>(back))) << bits;
      continue;
    }
    ASSERT_EQ(back.bits, half.bits);
  }
}

TEST(Float16, RoundsToNearestEven) { expect_rounding_to_nearest_even<Float16>(0x7BFF); }

TEST(Float16, OverflowsAndUnderflows) {
  EXPECT_EQ(Float16::from(65504.0F).bits, 0x7BFF);
  EXPECT_EQ(Float16::from(65519.996F).bits, 0x7BFF);
  EXPECT_EQ(Float16::from(65520.0F).bits, 0x7C00);
  EXPECT_EQ(Float16::from(-1e30F).bits, 0xFC00);
  EXPECT_EQ(Float16::from(kInfinity).bits, 0x7C00);
  EXPECT_EQ(Float16::from(-kInfinity).bits, 0xFC00);
  EXPECT_EQ(Float16::from(0x1p-25F).bits, 0x0000);  // halfway to the least, to even
  EXPECT_EQ(Float16::from(0x1.000002p-25F).bits, 0x0001);
  EXPECT_EQ(Float16::from(-0.0F).bits, 0x8000);
  EXPECT_EQ(Float16::from(-1e-30F).bits, 0x8000);
  EXPECT_EQ(Float16::from(std::numeric_limits<float>::denorm_min()).bits, 0);
  EXPECT_TRUE(std::isnan(static_cast<float>(Float16::from(std::nanf("")))));
}

TEST(BFloat16, EveryValueIsTheUpperHalfOfASingleAndComesBack) {
  for (std::uint32_t bits = 0; bits <= 0xFFFFU; ++bits) {
    const BFloat16 brain{static_cast<std::uint16_t>(bits)};
    const auto single = static_cast<float>(brain);
    ASSERT_EQ(bits_of(single), bits << 16U);
    const auto back = BFloat16::from(single);
    if (std::isnan(single)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(back))) << bits;
    } else {
      ASSERT_EQ(back.bits, brain.bits);
    }
  }
}

TEST(BFloat16, RoundsToNearestEven) { expect_rounding_to_nearest_even<BFloat16>(0x7F7F); }

TEST(BFloat16, OverflowsToInfinityAndKeepsNaN) {
  EXPECT_EQ(BFloat16::from(std::numeric_limits<float>::max()).bits, 0x7F80);
  EXPECT_EQ(BFloat16::from(-std::numeric_limits<float>::max()).bits, 0xFF80);
  EXPECT_EQ(BFloat16::from(kInfinity).bits, 0x7F80);
  // NaNs whose payload lies in the half that is cut off must not become infinity.
  for (const std::uint32_t bits :
       {0x7F800001U, 0x7F80FFFFU, 0xFF800001U, 0x7FFFFFFFU, 0xFFFFFFFFU}) {
    EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16::from(std::bit_cast<float>(bits))))) << bits;
  }
}

TEST(DType, HasSizesAndNames) {
  const std::array<std::tuple<DType, std::size_t, const char*>, 10> all{
      {{DType::f32, 4, "f32"},
       {DType::f16, 2, "f16"},
       {DType::bf16, 2, "bf16"},
       {DType::f64, 8, "f64"},
       {DType::i8, 1, "i8"},
       {DType::u8, 1, "u8"},
       {DType::i16, 2, "i16"},
       {DType::i32, 4, "i32"},
       {DType::i64, 8, "i64"},
       {DType::boolean, 1, "bool"}}};
  for (const auto& [dtype, size, name] : all) {
    EXPECT_EQ(size_of(dtype), size);
    EXPECT_EQ(name_of(dtype), name);
  }
}

TEST(Tensor, IsAbsentByDefault) {
  const Tensor tensor;
  EXPECT_TRUE(tensor.empty());
  EXPECT_EQ(tensor.shape(), Shape{0});
  EXPECT_TRUE(tensor.values<float>().empty());
}

TEST(Tensor, ZerosAreZeroAlignedAndWritable) {
  auto tensor = Tensor::zeros(DType::f32, {3, 5});
  EXPECT_EQ(tensor.numel(), 15);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.bytes().data()) % 64, 0U);
  EXPECT_THAT(tensor.values<float>(), Each(0.0F));
  tensor.mutable_values<float>()[14] = 2;
  EXPECT_EQ(tensor.values<float>()[14], 2.0F);
  EXPECT_EQ(Tensor::zeros(DType::i64, {}).numel(), 1);
  EXPECT_EQ(Tensor::zeros(DType::f32, {4, 0}).numel(), 0);
}

TEST(Tensor, RefusesShapesThatMakeNoSense) {
  EXPECT_THROW((void)Tensor::zeros(DType::f32, {-1}), ArgumentError);
  EXPECT_THROW((void)Tensor::zeros(DType::f32, {1LL << 40, 1LL << 40}), ArgumentError);
  EXPECT_THROW((void)Tensor::zeros(DType::f64, {std::numeric_limits<std::int64_t>::max()}),
               ArgumentError);
  const std::vector<float> three{1, 2, 3};
  EXPECT_THROW((void)Tensor::from<float>({2}, three), ArgumentError);
  EXPECT_THROW((void)Tensor::view(DType::f32, {2}, std::as_bytes(std::span(three)), nullptr),
               ArgumentError);
}

TEST(Tensor, CopiesShareStorageAndKeepItAlive) {
  Tensor copy;
  {
    auto tensor = Tensor::from<std::int32_t>({2, 2}, std::vector<std::int32_t>{1, 2, 3, 4});
    copy = tensor;
    tensor.mutable_values<std::int32_t>()[0] = 9;
  }
  EXPECT_THAT(copy.values<std::int32_t>(), ElementsAre(9, 2, 3, 4));
}

TEST(Tensor, ViewsAreReadOnlyAndKeepTheirOwner) {
  auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4});
  auto view = Tensor::view(DType::f32, {4}, std::as_bytes(std::span(*owner)), owner);
  const std::weak_ptr<std::vector<float>> watch = owner;
  owner.reset();
  EXPECT_FALSE(watch.expired());
  EXPECT_THAT(view.values<float>(), ElementsAre(1, 2, 3, 4));
  EXPECT_THROW((void)view.mutable_bytes(), ArgumentError);
  EXPECT_THROW((void)view.mutable_values<float>(), ArgumentError);
  view = Tensor();
  EXPECT_TRUE(watch.expired());
}

/// Element `index` of the tensor, converted.
template <class T>
T element(const Tensor& tensor, std::size_t index) {
  const Tensor converted = tensor.to(dtype_of<T>);
  return converted.values<T>()[index];
}

// A span of a temporary's elements would outlive them.
template <class T>
concept HasValues = requires(T&& tensor) {
  std::forward<T>(tensor).template values<float>();
};
template <class T>
concept HasMutableValues = requires(T&& tensor) {
  std::forward<T>(tensor).template mutable_values<float>();
};
template <class T>
concept HasBytes = requires(T&& tensor) {
  std::forward<T>(tensor).bytes();
};
static_assert(HasValues<Tensor&> && HasValues<const Tensor&> && !HasValues<Tensor> &&
              !HasValues<const Tensor>);
static_assert(HasMutableValues<Tensor&> && !HasMutableValues<Tensor>);
static_assert(HasBytes<const Tensor&> && !HasBytes<Tensor>);

TEST(Tensor, ReadsUnalignedBytesOnlyByConversion) {
  std::array<std::byte, 9> bytes{};
  const std::array<float, 2> values{1.5F, -2.0F};
  std::memcpy(bytes.data() + 1, values.data(), 8);
  const auto view = Tensor::view(DType::f32, {2}, std::span(bytes).subspan(1), nullptr);
  if (reinterpret_cast<std::uintptr_t>(view.bytes().data()) % alignof(float) != 0) {
    EXPECT_THROW((void)view.values<float>(), ArgumentError);
  }
  EXPECT_EQ(element<double>(view, 0), 1.5);
  EXPECT_EQ(element<double>(view, 1), -2.0);
  EXPECT_EQ(element<BFloat16>(view, 0).bits, 0x3FC0);
}

TEST(Tensor, NamesTheDtypeThatItWasReadAs) {
  const auto tensor = Tensor::zeros(DType::bf16, {1});
  try {
    (void)tensor.values<float>();
    FAIL();
  } catch (const ArgumentError& error) {
    EXPECT_THAT(error.what(), HasSubstr("a tensor of bf16 was read as f32"));
  }
}

TEST(Tensor, DimensionsCountFromEitherEnd) {
  const auto tensor = Tensor::zeros(DType::u8, {2, 3, 5});
  EXPECT_EQ(tensor.dim(0), 2);
  EXPECT_EQ(tensor.dim(-1), 5);
  EXPECT_EQ(tensor.dim(-3), 2);
  EXPECT_THROW((void)tensor.dim(3), ArgumentError);
  EXPECT_THROW((void)tensor.dim(-4), ArgumentError);
  EXPECT_EQ(to_string(tensor.shape()), "[2, 3, 5]");
  EXPECT_EQ(to_string(Shape{}), "[]");
  EXPECT_EQ(to_string(Shape(100'000, 1)), "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ...]");
}

TEST(Tensor, RowsAndShapesShareStorage) {
  auto tensor = Tensor::from<std::int16_t>({3, 2}, std::vector<std::int16_t>{1, 2, 3, 4, 5, 6});
  auto rows = tensor.rows(1, 3);
  EXPECT_EQ(rows.shape(), (Shape{2, 2}));
  EXPECT_THAT(rows.values<std::int16_t>(), ElementsAre(3, 4, 5, 6));
  rows.mutable_values<std::int16_t>()[0] = 30;
  EXPECT_EQ(tensor.values<std::int16_t>()[2], 30);
  EXPECT_EQ(tensor.rows(3, 3).numel(), 0);
  EXPECT_THROW((void)tensor.rows(-1, 2), ArgumentError);
  EXPECT_THROW((void)tensor.rows(2, 1), ArgumentError);
  EXPECT_THROW((void)tensor.rows(0, 4), ArgumentError);
  EXPECT_THROW((void)Tensor::zeros(DType::f32, {}).rows(0, 1), ArgumentError);
  const auto flat = tensor.reshaped({6});
  EXPECT_THAT(flat.values<std::int16_t>(), ElementsAre(1, 2, 30, 4, 5, 6));
  EXPECT_THROW((void)tensor.reshaped({5}), ArgumentError);
  EXPECT_THROW((void)tensor.reshaped({-6}), ArgumentError);
}

TEST(Tensor, ConvertsBetweenFloatingPointTypes) {
  const std::vector<double> values{0.0, -0.0, 1.0, -2.5, 0.1, 70000.0, 1e-7, kInfinity};
  const auto wide = Tensor::from<double>({2, 4}, values);
  const auto single = wide.to(DType::f32);
  EXPECT_EQ(single.shape(), (Shape{2, 4}));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto expected = static_cast<float>(values[i]);
    EXPECT_EQ(bits_of(single.values<float>()[i]), bits_of(expected));
    EXPECT_EQ(element<double>(single, i), static_cast<double>(expected));
    EXPECT_EQ(element<BFloat16>(wide, i).bits, BFloat16::from(expected).bits);
    EXPECT_EQ(element<Float16>(single, i).bits, Float16::from(expected).bits);
    const auto half = single.to(DType::f16);
    EXPECT_EQ(element<float>(half, i), static_cast<float>(Float16::from(expected)));
    EXPECT_EQ(element<BFloat16>(half, i).bits,
              BFloat16::from(static_cast<float>(Float16::from(expected))).bits);
  }
  const auto same = single.to(DType::f32);
  EXPECT_EQ(same.bytes().data(), single.bytes().data());  // itself
  EXPECT_EQ(Tensor::zeros(DType::f16, {0, 3}).to(DType::f32).shape(), (Shape{0, 3}));
  EXPECT_EQ(Tensor().to(DType::bf16).numel(), 0);
}

TEST(Tensor, RefusesToConvertIntegers) {
  const auto integers = Tensor::zeros(DType::i64, {2});
  EXPECT_THROW((void)integers.to(DType::f32), ArgumentError);
  EXPECT_THROW((void)Tensor::zeros(DType::f32, {2}).to(DType::i32), ArgumentError);
  EXPECT_NO_THROW((void)integers.to(DType::i64));
}

}  // namespace
}  // namespace cloze
