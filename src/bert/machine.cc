#include "cloze/machine.h"

#include <fmt/format.h>

#include "core/io/files.h"
#include "ops/linear.h"
#include "ops/measured_machine.h"

namespace cloze {
namespace {

std::string reason_of(const ops::MeasuredMachine& machine) {
  if (!ops::accelerates(DType::bf16)) {
    return "there are no instructions for products of bf16 that the library may use";
  }
  return fmt::format("products of bf16 run at {:.2f} times the rate of those of f32",
                     machine.rates.bf16 / machine.rates.f32);
}

}  // namespace

MachineInfo machine_info() {
  const auto measured = ops::measure_machine();
  MachineInfo info;
  info.processor = measured.processor;
  info.instruction_sets = ops::instruction_sets();
  info.library = measured.library;
  info.threads = thread_status();
  info.f32_gflops = measured.rates.f32;
  info.bf16_gflops = measured.rates.bf16;
  info.int8_gops = measured.rates.int8;
  info.best = measured.fastest == DType::bf16 ? Precision::bf16 : Precision::f32;
  info.reason = reason_of(measured);
  const auto file = ops::kept_machine_file();
  if (file && files::exists(*file)) info.kept_in = *file;
  return info;
}

}  // namespace cloze
