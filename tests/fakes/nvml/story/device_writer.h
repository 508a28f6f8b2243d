// Writing into a device of the state.
#pragma once

#include "fakes/nvml/story/part_use.h"

namespace nvml_fake {

void write_text(const std::string& text, char (&target)[kNvmlFakeText]);

/// What does not change: name, UUID, address, kind, telemetry.
void write_gpu(const Gpu& gpu, NvmlFakeDevice& device);
void write_instance(const Instance& instance, const Gpu& gpu, NvmlFakeDevice& device);

void clear_processes(NvmlFakeDevice& device);
/// Appends the processes to the lists they are in, with the ids of the instance that they run on.
void write_processes(const PartUse& use, unsigned gpu_instance, unsigned compute_instance, NvmlFakeDevice& device);
/// total = reserved + used + free.
void write_memory(const Part& part, Bytes used, NvmlFakeDevice& device);
void write_absurd_memory(AbsurdValues values, NvmlFakeDevice& device);

}  // namespace nvml_fake
