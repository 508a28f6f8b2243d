// NVIDIA GPUs through NVML, which is opened at run time: nothing of it is needed to build or to start.
#pragma once

#include <filesystem>
#include <memory>

#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory {

struct NvmlOptions {
  /// The library to open; empty: libnvidia-ml.so.1 by the system's search path.
  std::filesystem::path library;
  /// Where `proc` and `sys` are: processes, the host's memory, power states.
  std::filesystem::path root = "/";
  SourceSettings settings = {};
};

/// Opens and initialises NVML. Errors: Unavailable with what the loader or the driver said, and what to do about it;
/// Unsupported if the library lacks a function without which nothing can be read. `clock` must outlive the source.
///
/// What it does beyond the contract of a MemorySource:
/// - `used` is without the driver's reserve where the driver knows it apart; the old call is asked where the new one
///   fails. A GPU that shares the host's memory (GB10, Thor) has no count of its own: there `used` is the sum of its
///   processes and `free` what the host has available, marked as UsedMeaning::Estimate.
/// - MIG instances are devices, listed after the GPUs; a partitioned GPU is DeviceKind::Partitioned.
/// - A device keeps its index for the life of the source, by its UUID, however often enumerate() looks again.
/// - enumerate() opens NVML anew when the driver has gone away, after release(), and in a process that was forked off,
///   where read() does so as well. It may not run in the child while a call was under way at the fork.
/// - A GPU that does not answer when it is looked up keeps nobody from the others. A call that hangs keeps its NVML
/// open:
///   it is never shut down under it.
/// - Xid and ECC errors come with the readings for which processes are asked.
[[nodiscard]] Result<std::unique_ptr<MemorySource>> open_nvml(const Clock& clock, NvmlOptions options = {});

}  // namespace dualgpuopt::memory
