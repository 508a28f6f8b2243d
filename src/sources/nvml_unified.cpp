#include "sources/nvml_unified.h"

namespace dualgpuopt::memory::nvml {

Result<MemoryUse> estimate_unified_memory(const ProcessList& processes, Bytes available) {
  const auto used = processes.attributed();
  if (!used) {
    return fail(ErrorCode::Unavailable, "this GPU shares the host's memory, and what its processes use is not known: " +
                                            (processes.reason.empty() ? processes.used_reason : processes.reason));
  }
  MemoryUse memory;
  memory.used = *used;
  memory.free = available;
  memory.total = *used + available;
  memory.used_meaning = UsedMeaning::Estimate;
  return memory;
}

}  // namespace dualgpuopt::memory::nvml
