#include "train/run/tensorboard.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <tensorboard.pb.h>
#include <unistd.h>

#include "cloze/error.h"
#include "core/io/atomic_file.h"
#include "core/io/crc32c.h"

namespace cloze {
namespace {

constexpr int kString = 7;  // DT_STRING

double seconds_now() {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return now.count();
}

/// The upper limits of the buckets: ±1e-12 · 1.1^n up to 1e20, zero between, the largest at the
/// end.
std::vector<double> make_limits() {
  std::vector<double> positive{1e-12};
  while (positive.back() * 1.1 < 1e20) positive.push_back(positive.back() * 1.1);
  positive.push_back(std::numeric_limits<double>::max());
  std::vector<double> limits(positive.rbegin(), positive.rend());
  for (auto& limit : limits) limit = -limit;
  limits.push_back(0);
  limits.insert(limits.end(), positive.begin(), positive.end());
  return limits;
}

void fill(std::span<const float> values, tensorboard::HistogramProto& histogram) {
  const auto limits = make_limits();
  std::vector<double> counts(limits.size());
  double least = std::numeric_limits<double>::max(), most = -least, sum = 0, squares = 0, count = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const auto bucket = std::upper_bound(limits.begin(), limits.end(), value) - limits.begin();
    counts[std::min(static_cast<std::size_t>(bucket), counts.size() - 1)] += 1;
    least = std::min(least, value);
    most = std::max(most, value);
    sum += value;
    squares += value * value;
    count += 1;
  }
  histogram.set_num(count);
  if (count == 0) return;
  histogram.set_min(least);
  histogram.set_max(most);
  histogram.set_sum(sum);
  histogram.set_sum_squares(squares);
  // Runs of empty buckets are one bucket.
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const bool last = i + 1 == counts.size();
    if (counts[i] <= 0 && !last && counts[i + 1] <= 0) continue;
    histogram.add_bucket_limit(limits[i]);
    histogram.add_bucket(counts[i]);
  }
}

tensorboard::Event event_at(std::int64_t step) {
  tensorboard::Event event;
  event.set_wall_time(seconds_now());
  event.set_step(step);
  return event;
}

tensorboard::Summary::Value& value_of(tensorboard::Event& event, std::string_view tag) {
  auto* value = event.mutable_summary()->add_value();
  value->set_tag(std::string(tag));
  return *value;
}

tensorboard::Event plugin_event(const std::string& tag, const std::string& plugin,
                                const std::string& content) {
  auto event = event_at(0);
  auto& value = value_of(event, tag);
  auto* data = value.mutable_metadata()->mutable_plugin_data();
  data->set_plugin_name(plugin);
  data->set_content(content);
  // A summary needs some value; TensorFlow's hparams have an empty tensor of floats here.
  value.mutable_tensor()->set_dtype(1);
  value.mutable_tensor()->mutable_tensor_shape();
  return event;
}

}  // namespace

EventWriter::EventWriter(const std::filesystem::path& directory) {
  make_directory(directory);
  std::array<char, 256> name{};
  const std::string host =
      ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
  const auto seconds = static_cast<std::int64_t>(seconds_now());
  for (int number = 0; number < 1000 && fd_ < 0; ++number) {
    path_ = directory /
            fmt::format("events.out.tfevents.{:010}.{}.{}.{}", seconds, host, ::getpid(), number);
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (fd_ < 0 && errno != EEXIST) break;
  }
  if (fd_ < 0) {
    throw IoError(
        fmt::format("cannot write {}: {}", path_.string(), std::generic_category().message(errno)));
  }
  auto event = event_at(0);
  event.set_file_version("brain.Event:2");
  write(event.SerializeAsString());
}

EventWriter::~EventWriter() { ::close(fd_); }

void EventWriter::write(std::string_view record) {
  std::string framed(12, '\0');
  const std::uint64_t length = record.size();
  const auto checksum = [](const void* data, std::size_t size) {
    return masked_crc(crc32c({static_cast<const std::byte*>(data), size}));
  };
  std::memcpy(framed.data(), &length, sizeof length);
  const std::uint32_t header = checksum(framed.data(), sizeof length);
  std::memcpy(framed.data() + sizeof length, &header, sizeof header);
  framed += record;
  const std::uint32_t footer = checksum(record.data(), record.size());
  framed.append(reinterpret_cast<const char*>(&footer), sizeof footer);
  for (std::string_view rest = framed; !rest.empty();) {
    const auto written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      throw IoError(fmt::format("cannot write {}: {}", path_.string(),
                                std::generic_category().message(written < 0 ? errno : ENOSPC)));
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

void EventWriter::scalar(std::string_view tag, double value, std::int64_t step) {
  auto event = event_at(step);
  value_of(event, tag).set_simple_value(static_cast<float>(value));
  write(event.SerializeAsString());
}

void EventWriter::histogram(std::string_view tag, std::span<const float> values,
                            std::int64_t step) {
  auto event = event_at(step);
  fill(values, *value_of(event, tag).mutable_histo());
  write(event.SerializeAsString());
}

void EventWriter::text(std::string_view tag, std::string_view markdown, std::int64_t step) {
  auto event = event_at(step);
  auto& value = value_of(event, tag);
  value.mutable_metadata()->mutable_plugin_data()->set_plugin_name("text");
  auto& tensor = *value.mutable_tensor();
  tensor.set_dtype(kString);
  tensor.mutable_tensor_shape()->add_dim()->set_size(1);
  tensor.add_string_val(std::string(markdown));
  write(event.SerializeAsString());
}

void EventWriter::hyper_parameters(const HyperParameters& settings,
                                   const std::vector<std::string>& metrics) {
  const std::string plugin = "hparams";
  tensorboard::HParamsPluginData experiment, start;
  for (const auto& [name, value] : settings) {
    auto* info = experiment.mutable_experiment()->add_hparam_infos();
    info->set_name(name);
    info->set_type(std::holds_alternative<double>(value) ? 3 : 1);
    auto& setting = (*start.mutable_session_start_info()->mutable_hparams())[name];
    if (const auto* number = std::get_if<double>(&value)) {
      setting.set_number_value(*number);
    } else {
      setting.set_string_value(std::get<std::string>(value));
    }
  }
  for (const auto& tag : metrics) {
    experiment.mutable_experiment()->add_metric_infos()->mutable_name()->set_tag(tag);
  }
  start.mutable_session_start_info()->set_start_time_secs(seconds_now());
  write(plugin_event("_hparams_/experiment", plugin, experiment.SerializeAsString())
            .SerializeAsString());
  write(plugin_event("_hparams_/session_start_info", plugin, start.SerializeAsString())
            .SerializeAsString());
}

}  // namespace cloze
