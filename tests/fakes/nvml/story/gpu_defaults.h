// What a [[gpu]] of a scenario is where its table says nothing.
#pragma once

#include "fakes/nvml/story/scenario.h"

namespace nvml_fake {

/// The GPU of a kind at an index.
[[nodiscard]] Gpu default_gpu(GpuKind kind, unsigned index);

/// The instance in a slot of the GPU at an index.
[[nodiscard]] Instance default_instance(const Gpu& gpu, unsigned index, unsigned slot);

}  // namespace nvml_fake
