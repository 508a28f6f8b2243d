// Reading a [[gpu]] of a scenario with all that belongs to it.
#pragma once

#include "fakes/nvml/story/scenario.h"
#include "fakes/nvml/story/story_table.h"

namespace nvml_fake {

/// The GPU at an index; a trace that it names is looked for in `folder`.
[[nodiscard]] Gpu read_gpu(const StoryTable& table, unsigned index, const std::filesystem::path& folder);

}  // namespace nvml_fake
