// NVIDIA GPUs through NVML, which is opened at run time: nothing of it is needed to build or to start.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "dualgpuopt/memory/processes/process_table.h"
#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory {

struct NvmlOptions {
  /// The library to open; empty: libnvidia-ml.so.1 by the system's search path.
  std::filesystem::path library;
  /// Where start times and names of processes are read.
  ProcessTable processes;
};

/// Opens and initialises NVML. Errors: Unavailable with what the loader or the driver said, and what to do about it;
/// Unsupported if the library lacks a function without which nothing can be read. `clock` must outlive the source.
[[nodiscard]] Result<std::unique_ptr<MemorySource>> open_nvml(const Clock& clock, NvmlOptions options = {});

}  // namespace dualgpuopt::memory
