// Reading faults, in a scenario and in the file of the live control.
#pragma once

#include "fakes/nvml/story/scenario.h"
#include "fakes/nvml/story/story_table.h"

namespace nvml_fake {

/// The [[fault]] tables; they may concern these GPUs only.
[[nodiscard]] std::vector<Fault> read_faults(const StoryTable& table, const std::vector<Gpu>& gpus);

/// The value of `gpu`, and that of `instance`, where such a GPU and such an instance are.
[[nodiscard]] std::optional<unsigned> read_gpu_index(const StoryTable& table, const std::vector<Gpu>& gpus);
[[nodiscard]] std::optional<unsigned> read_instance_slot(const StoryTable& table, const std::vector<Gpu>& gpus,
                                                         std::optional<unsigned> gpu);

}  // namespace nvml_fake
