// How much memory the host could still give away, for GPUs that share it.
#pragma once

#include <filesystem>
#include <string_view>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// `MemAvailable` of proc_meminfo(5): what programs can get without swapping, by the kernel's own estimate. ParseFailed
/// if the text has no such line.
[[nodiscard]] Result<Bytes> parse_available_memory(std::string_view meminfo);
/// The same of ROOT/proc/meminfo; errors carry the file's name.
[[nodiscard]] Result<Bytes> read_available_memory(const std::filesystem::path& root);

}  // namespace dualgpuopt::memory
