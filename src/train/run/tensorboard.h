/// \file
/// Event files for TensorBoard, readable by it while the run goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cloze {

/// A setting of a run for the HPARAMS page.
using HyperParameters = std::map<std::string, std::variant<double, std::string>>;

/// Appends to one file `events.out.tfevents.SECONDS.HOST.PID` of a directory. Every call writes
/// whole records (length, masked CRC-32C, data, masked CRC-32C), so a reader never sees half of one
/// for longer than it takes to write it. Every member throws IoError.
class EventWriter {
 public:
  /// Makes the directory if need be. A run that goes on after a stop opens a new file beside the
  /// old; TensorBoard shows both as one.
  explicit EventWriter(const std::filesystem::path& directory);
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;
  EventWriter(EventWriter&&) = delete;
  EventWriter& operator=(EventWriter&&) = delete;
  ~EventWriter();

  void scalar(std::string_view tag, double value, std::int64_t step);

  /// The distribution of the values, in buckets that widen by a tenth (TensorFlow's own). Values
  /// that are not finite are left out.
  void histogram(std::string_view tag, std::span<const float> values, std::int64_t step);

  /// Markdown, as the TEXT page shows it.
  void text(std::string_view tag, std::string_view markdown, std::int64_t step);

  /// The run's settings, and the tags of the scalars that measure it.
  void hyper_parameters(const HyperParameters& settings, const std::vector<std::string>& metrics);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void write(std::string_view record);

  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace cloze
