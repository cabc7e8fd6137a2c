#include "ops/cpu/machine/fastest_dtype.h"

#include <atomic>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/cache_folder.h"
#include "core/fingerprint.h"
#include "core/io/files.h"
#include "core/json_fields.h"
#include "ops/cpu/onednn.h"
#include "ops/device.h"

namespace cloze::ops {
namespace {

constexpr double kHysteresis = 1.1;

/// What a kept decision must have been made for.
MeasuredMachine this_machine() {
  return {.processor = processor_name(), .library = library_name(), .rates = {}};
}

std::string text_of(const MeasuredMachine& machine) {
  const auto rounded = [](double rate) { return std::round(rate * 10) / 10; };
  nlohmann::ordered_json json;
  json["processor"] = machine.processor;
  json["library"] = machine.library;
  json["threads"] = machine.rates.threads;
  json["gflops"] = {{"f32", rounded(machine.rates.f32)},
                    {"bf16", rounded(machine.rates.bf16)},
                    {"int8", rounded(machine.rates.int8)}};
  json["fastest"] = name_of(machine.fastest);
  return json.dump(2) + "\n";
}

/// Throws where the text is another.
MeasuredMachine machine_from(const std::string& text) {
  const std::string origin = "a kept measurement";
  const auto json = nlohmann::json::parse(text);
  const auto rates = required_json_field<nlohmann::json>(json, "gflops", origin);
  MeasuredMachine machine;
  machine.processor = required_json_field<std::string>(json, "processor", origin);
  machine.library = required_json_field<std::string>(json, "library", origin);
  machine.rates.threads = required_json_field<int>(json, "threads", origin);
  machine.rates.f32 = required_json_field<double>(rates, "f32", origin);
  machine.rates.bf16 = required_json_field<double>(rates, "bf16", origin);
  machine.rates.int8 = required_json_field<double>(rates, "int8", origin);
  const auto fastest = required_json_field<std::string>(json, "fastest", origin);
  if (fastest != name_of(DType::f32) && fastest != name_of(DType::bf16)) {
    throw FormatError(origin + " names no dtype");
  }
  machine.fastest = fastest == name_of(DType::bf16) ? DType::bf16 : DType::f32;
  return machine;
}

void keep(const MeasuredMachine& machine) {
  const auto file = kept_machine_file();
  if (!file) return;
  try {
    files::make_directory(file->parent_path());
    files::write_text(*file, text_of(machine));
  } catch (const IoError&) {  // read-only, or full: nothing depends on it
  }
}

}  // namespace

DType decide_fastest(const ProductRates& rates, std::optional<DType> before) {
  if (rates.bf16 <= 0) return DType::f32;
  if (!before) return rates.bf16 >= rates.f32 ? DType::bf16 : DType::f32;
  const DType other = *before == DType::bf16 ? DType::f32 : DType::bf16;
  return rates.of(other) > kHysteresis * rates.of(*before) ? other : *before;
}

std::optional<std::filesystem::path> kept_machine_file() {
  const auto folder = cache_folder();
  if (!folder) return std::nullopt;
  const auto machine = this_machine();
  const auto name = Fingerprint().add(machine.processor).add(machine.library).value();
  return *folder / fmt::format("machine-{:016x}.json", name);
}

std::optional<MeasuredMachine> kept_machine() {
  const auto file = kept_machine_file();
  if (!file) return std::nullopt;
  const auto text = files::text_if_readable(*file);
  if (!text) return std::nullopt;
  try {
    auto kept = machine_from(*text);
    const auto here = this_machine();
    if (kept.processor == here.processor && kept.library == here.library) return kept;
  } catch (const Error&) {
  } catch (const nlohmann::json::exception&) {
  }
  return std::nullopt;
}

MeasuredMachine measure_machine() {
  const auto before = kept_machine();
  auto machine = this_machine();
  machine.rates = measure_product_rates(cpu());
  machine.fastest =
      decide_fastest(machine.rates, before ? std::optional(before->fastest) : std::nullopt);
  keep(machine);
  return machine;
}

DType fastest_dtype() {
  if (!accelerates(DType::bf16)) return DType::f32;
  // Threads that come at once may each measure; what the first decides counts.
  static constinit std::atomic<int> decided = -1;
  int now = decided.load();
  if (now >= 0) return static_cast<DType>(now);
  const auto kept = kept_machine();
  const auto fastest = kept ? kept->fastest : measure_machine().fastest;
  const int mine = static_cast<int>(fastest);
  return decided.compare_exchange_strong(now, mine) ? fastest : static_cast<DType>(now);
}

}  // namespace cloze::ops
