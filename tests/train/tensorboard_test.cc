// Event files: their framing, their checksums, and what TensorBoard's own messages read in them.
#include "train/run/tensorboard.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <tensorboard.pb.h>

#include "cloze/error.h"
#include "core/io/crc32c.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

template <class T>
T read_at(const std::string& bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::uint32_t checksum(const std::string& bytes, std::size_t at, std::size_t size) {
  return masked_crc(crc32c(std::as_bytes(std::span(bytes)).subspan(at, size)));
}

std::vector<tensorboard::Event> events_of(const std::filesystem::path& file) {
  const auto bytes = testing::read_file(file);
  std::vector<tensorboard::Event> events;
  std::size_t at = 0;
  while (at < bytes.size()) {
    EXPECT_GE(bytes.size() - at, 16U);
    const auto size = read_at<std::uint64_t>(bytes, at);
    EXPECT_EQ(read_at<std::uint32_t>(bytes, at + 8), checksum(bytes, at, 8));
    EXPECT_EQ(read_at<std::uint32_t>(bytes, at + 12 + size), checksum(bytes, at + 12, size));
    EXPECT_TRUE(events.emplace_back().ParseFromString(bytes.substr(at + 12, size)));
    at += 16 + size;
  }
  return events;
}

TEST(TensorBoard, RecordsAreWholeAfterEveryCall) {
  const testing::TempDirectory directory;
  EventWriter writer(directory.path() / "runs");
  EXPECT_TRUE(writer.path().filename().string().starts_with("events.out.tfevents."));
  auto events = events_of(writer.path());
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_GT(events[0].wall_time(), 1.7e9);
  writer.scalar("train/loss", 6.5, 17);
  events = events_of(writer.path());
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].step(), 17);
  EXPECT_EQ(events[1].summary().value(0).tag(), "train/loss");
  EXPECT_EQ(events[1].summary().value(0).simple_value(), 6.5F);
}

TEST(TensorBoard, AHistogramCountsEveryFiniteValueOnce) {
  const testing::TempDirectory directory;
  EventWriter writer(directory.path());
  const std::vector<float> values{-3,
                                  -3,
                                  0,
                                  0.5F,
                                  1e-20F,
                                  7e19F,
                                  3e38F,
                                  std::numeric_limits<float>::quiet_NaN(),
                                  std::numeric_limits<float>::infinity()};
  writer.histogram("weights", values, 3);
  writer.histogram("nothing", {}, 3);
  const auto events = events_of(writer.path());
  const auto& histogram = events.at(1).summary().value(0).histo();
  EXPECT_EQ(histogram.num(), 7);
  EXPECT_EQ(histogram.min(), -3);
  EXPECT_EQ(histogram.max(), static_cast<double>(3e38F));
  ASSERT_EQ(histogram.bucket_size(), histogram.bucket_limit_size());
  double total = 0, below_zero = 0;
  for (int i = 0; i < histogram.bucket_size(); ++i) {
    if (i > 0) {
      EXPECT_GT(histogram.bucket_limit(i), histogram.bucket_limit(i - 1));
    }
    total += histogram.bucket(i);
    if (histogram.bucket_limit(i) <= 0) below_zero += histogram.bucket(i);
  }
  EXPECT_EQ(total, 7);
  EXPECT_EQ(below_zero, 2);
  EXPECT_EQ(events.at(2).summary().value(0).histo().num(), 0);
}

TEST(TensorBoard, TextAndHyperParametersGoToTheirPlugins) {
  const testing::TempDirectory directory;
  EventWriter writer(directory.path());
  writer.text("fill-mask", "| a |\n", 5);
  writer.hyper_parameters({{"learning_rate", 1e-4}, {"schedule", std::string("linear")}},
                          {"evaluation/loss"});
  const auto events = events_of(writer.path());
  ASSERT_EQ(events.size(), 4U);
  const auto& text = events[1].summary().value(0);
  EXPECT_EQ(text.metadata().plugin_data().plugin_name(), "text");
  EXPECT_EQ(text.tensor().dtype(), 7);
  EXPECT_EQ(text.tensor().string_val(0), "| a |\n");
  EXPECT_EQ(events[2].summary().value(0).tag(), "_hparams_/experiment");
  tensorboard::HParamsPluginData experiment, start;
  ASSERT_TRUE(
      experiment.ParseFromString(events[2].summary().value(0).metadata().plugin_data().content()));
  EXPECT_EQ(experiment.experiment().metric_infos(0).name().tag(), "evaluation/loss");
  EXPECT_EQ(experiment.experiment().hparam_infos_size(), 2);
  ASSERT_TRUE(
      start.ParseFromString(events[3].summary().value(0).metadata().plugin_data().content()));
  const auto& settings = start.session_start_info().hparams();
  EXPECT_EQ(settings.at("learning_rate").number_value(), 1e-4);
  EXPECT_EQ(settings.at("schedule").string_value(), "linear");
}

TEST(TensorBoard, WritersOfOneSecondHaveFilesOfTheirOwn) {
  const testing::TempDirectory directory;
  const EventWriter first(directory.path()), second(directory.path());
  EXPECT_NE(first.path(), second.path());
  const auto file = directory.write("file", "");
  EXPECT_THROW(EventWriter{file}, IoError);
}

}  // namespace
}  // namespace cloze
