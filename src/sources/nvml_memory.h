// A device's memory through NVML's two memory calls, in one documented meaning.
#pragma once

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/metrics/reading.h"
#include "sources/nvml_library.h"

namespace dualgpuopt::memory::nvml {

/// Which of the two memory calls a device is asked with first. V1 once the driver has refused V2 for good.
enum class MemoryCall { V2, V1 };

/// Reads a device's memory: with V2 `used` is without what the driver reserves for itself, which is given apart; with
/// V1 `used` contains it, except in drivers before R510, which leave it out of everything. Whatever keeps V2 from
/// answering, V1 is tried next; a refusal that will not change (not supported, not known) is remembered in `first`.
/// Errors: Unsupported if the device has no such count, as GPUs without memory of their own; else Unavailable: the
/// driver's words, or numbers that cannot be.
[[nodiscard]] Result<MemoryUse> read_memory(const Library& library, Handle device, MemoryCall& first);

/// What the two calls give, as a MemoryUse. Error: broken GPUs can report nonsense and call it a success.
[[nodiscard]] Result<MemoryUse> to_memory_use(const MemoryV1& memory, UsedMeaning meaning);
[[nodiscard]] Result<MemoryUse> to_memory_use(const MemoryV2& memory);

}  // namespace dualgpuopt::memory::nvml
