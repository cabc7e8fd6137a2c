#include "cli/machine_text.h"

#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/format.h"

namespace cloze::cli {

std::string machine_text(const MachineInfo& info) {
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    text += fmt::format("{:<14}{}\n", printable(name) + ' ', printable(value));
  };
  const auto rate = [&](std::string_view name, double giga, std::string_view unit,
                        std::string_view more = "") {
    line(name, giga > 0 ? fmt::format("{:.0f} {} on {} thread{}{}", giga, unit, info.threads.wanted,
                                      info.threads.wanted == 1 ? "" : "s", more)
                        : "no instructions for it");
  };
  line("processor", info.processor);
  line("instructions", info.instruction_sets.empty()
                           ? "none that Cloze knows of"
                           : fmt::format("{}", fmt::join(info.instruction_sets, ", ")));
  line("products by", info.library);
  line("threads", fmt::format("{}{}{}", info.threads.wanted,
                              info.threads.problem.empty() ? "" : ": ", info.threads.problem));
  rate("f32", info.f32_gflops, "GFLOP/s");
  rate("bf16", info.bf16_gflops, "GFLOP/s");
  rate("int8", info.int8_gops, "GOP/s", ", with quantizing the rows");
  line("--dtype auto", fmt::format("{}: {}", name_of(info.best), info.reason));
  line("kept in",
       info.kept_in.empty() ? "no file: measured anew by each process" : info.kept_in.string());
  return text;
}

std::string machine_json(const MachineInfo& info) {
  using Json = nlohmann::ordered_json;
  const auto rate = [](double giga) { return giga > 0 ? Json(giga) : Json(); };
  Json json;
  json["processor"] = info.processor;
  json["instruction_sets"] = info.instruction_sets;
  json["library"] = info.library;
  json["threads"] = info.threads.wanted;
  json["f32_gflops"] = rate(info.f32_gflops);
  json["bf16_gflops"] = rate(info.bf16_gflops);
  json["int8_gops"] = rate(info.int8_gops);
  json["auto"] = name_of(info.best);
  json["reason"] = info.reason;
  json["kept_in"] = info.kept_in.empty() ? Json() : Json(info.kept_in.string());
  return json_text(json);
}

}  // namespace cloze::cli
