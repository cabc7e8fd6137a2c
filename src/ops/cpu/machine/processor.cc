// What CPUID, or the system on Arm, says of the processor.
#include <array>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "ops/measured_machine.h"

#if defined(__x86_64__)
#include <cpuid.h>

#include "ops/cpu/simd/amx.h"
#elif defined(__aarch64__) && defined(__linux__)
#include <fstream>

#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace cloze::ops {

#if defined(__x86_64__)
namespace {

/// Registers that CPUID leaves: eax, ebx, ecx, edx; zeros where it has no such leaf.
std::array<unsigned, 4> cpuid(unsigned leaf, unsigned subleaf = 0) {
  std::array<unsigned, 4> registers = {};
  if (__get_cpuid_count(leaf, subleaf, registers.data(), &registers[1], &registers[2],
                        &registers[3]) == 0) {
    return {};
  }
  return registers;
}

/// The 48 characters of leaves 0x80000002 to 4, without the spaces around them.
std::string brand() {
  constexpr unsigned kFirst = 0x80000002, kLast = 0x80000004;
  std::string name;
  for (unsigned leaf = kFirst; leaf <= kLast; ++leaf) {
    const auto registers = cpuid(leaf);
    std::array<char, sizeof(registers)> text{};
    std::memcpy(text.data(), registers.data(), sizeof(registers));
    name.append(text.data(), text.size());
  }
  name.resize(std::strlen(name.c_str()));
  const auto begin = name.find_first_not_of(' '), end = name.find_last_not_of(' ');
  return begin == std::string::npos ? std::string() : name.substr(begin, end + 1 - begin);
}

}  // namespace

std::string processor_name() {
  const auto eax = cpuid(1)[0];
  // Intel's manual, volume 2, CPUID: the extended numbers count from family 6 and 15 on.
  const unsigned base = (eax >> 8U) & 0xFU,
                 family = base == 15 ? base + ((eax >> 20U) & 0xFFU) : base;
  unsigned model = (eax >> 4U) & 0xFU;
  if (base == 6 || base == 15) model += ((eax >> 16U) & 0xFU) << 4U;
  const auto name = brand();
  return fmt::format("{}, family {}, model {}", name.empty() ? "x86-64" : name, family, model);
}

std::vector<std::string> instruction_sets() {
  // The compiler's own test asks the system too, whether it saves the registers.
  constexpr unsigned kExtensions = 7, kAvxVnni = 1U << 4U;
  constexpr unsigned kAmxBf16 = 1U << 22U, kAmxTile = 1U << 24U, kAmxInt8 = 1U << 25U;
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const bool avx512 =
      __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
  const auto extensions = cpuid(kExtensions);
  const bool tiles = (extensions[3] & kAmxTile) != 0 && amx::permitted();
  std::vector<std::string> sets;
  const auto add = [&](bool has, std::string_view name) {
    if (has) sets.emplace_back(name);
  };
  add(__builtin_cpu_supports("sse4.1") != 0, "SSE4.1");
  add(avx2, "AVX2");
  add(avx2 && (cpuid(kExtensions, 1)[0] & kAvxVnni) != 0, "AVX-VNNI");
  add(avx512, "AVX-512");
  add(avx512 && __builtin_cpu_supports("avx512vnni") != 0, "AVX512-VNNI");
  add(avx512 && __builtin_cpu_supports("avx512bf16") != 0, "AVX512-BF16");
  add(tiles && (extensions[3] & kAmxInt8) != 0, "AMX-INT8");
  add(tiles && (extensions[3] & kAmxBf16) != 0, "AMX-BF16");
  return sets;
}

#elif defined(__aarch64__) && defined(__linux__)

std::string processor_name() {
  // The system's own words; the numbers are Arm's of implementers and parts.
  std::ifstream file("/proc/cpuinfo");
  std::string line, implementer, part, name;
  while (std::getline(file, line)) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || colon + 2 > line.size()) continue;
    const auto value = line.substr(colon + 2);
    if (line.starts_with("CPU implementer")) implementer = value;
    if (line.starts_with("CPU part")) part = value;
    if (line.starts_with("model name") || line.starts_with("Hardware")) name = value;
  }
  if (part.empty()) return name.empty() ? "aarch64" : name;
  return fmt::format("{}, implementer {}, part {}", name.empty() ? "aarch64" : name, implementer,
                     part);
}

std::vector<std::string> instruction_sets() {
  const unsigned long first = ::getauxval(AT_HWCAP), second = ::getauxval(AT_HWCAP2);
  std::vector<std::string> sets;
  const auto add = [&](unsigned long has, std::string_view name) {
    if (has != 0) sets.emplace_back(name);
  };
  add(first & HWCAP_ASIMD, "NEON");
  add(first & HWCAP_ASIMDDP, "DotProd");
  add(first & HWCAP_SVE, "SVE");
  add(second & HWCAP2_SVE2, "SVE2");
  add(second & HWCAP2_I8MM, "I8MM");
  add(second & HWCAP2_BF16, "BF16");
  return sets;
}

#else

std::string processor_name() { return "unknown"; }
std::vector<std::string> instruction_sets() { return {}; }

#endif

}  // namespace cloze::ops
