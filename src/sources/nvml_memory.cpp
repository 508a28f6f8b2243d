#include "sources/nvml_memory.h"

#include "core/format.h"

namespace dualgpuopt::memory::nvml {
namespace {

/// Codes that the same driver gives for the same device every time.
bool is_lasting_refusal(Code code) {
  return code == Code::NotSupported || code == Code::FunctionNotFound || code == Code::ArgumentVersionMismatch;
}

Result<MemoryUse> checked(MemoryUse use) {
  const auto total = use.total.value_or(0);
  const auto free = use.free.value_or(0);
  const auto reserved = use.reserved.value_or(0);
  if (total != 0 && use.used <= total && free <= total && reserved <= total) return use;
  return fail(
      ErrorCode::Unavailable,
      format_text("the driver reports impossible numbers (total {} B, used {} B, free {} B, reserved {} B); the "
                  "GPU may be broken: see the kernel's log, reset it or reboot",
                  total, use.used, free, reserved));
}

}  // namespace

Result<MemoryUse> to_memory_use(const MemoryV1& memory, UsedMeaning meaning) {
  return checked({memory.used, memory.total, memory.free, std::nullopt, meaning});
}

Result<MemoryUse> to_memory_use(const MemoryV2& memory) {
  return checked({memory.used, memory.total, memory.free, memory.reserved, UsedMeaning::WithoutReserved});
}

Result<MemoryUse> read_memory(const Library& library, Handle device, MemoryCall& first) {
  auto refusal = Code::FunctionNotFound;
  if (first == MemoryCall::V2) {
    const auto memory = library.memory_v2(device);
    if (memory) return to_memory_use(*memory);
    refusal = memory.error();
    if (is_lasting_refusal(refusal)) first = MemoryCall::V1;
  }
  const auto memory = library.memory_v1(device);
  const auto meaning = library.v1_contains_reserve() ? UsedMeaning::WithReserved : UsedMeaning::WithoutReserved;
  if (memory) return to_memory_use(*memory, meaning);
  const auto reason = is_lasting_refusal(refusal) ? memory.error() : refusal;
  return fail(reason == Code::NotSupported ? ErrorCode::Unsupported : ErrorCode::Unavailable, library.describe(reason));
}

}  // namespace dualgpuopt::memory::nvml
