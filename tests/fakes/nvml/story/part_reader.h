// Reading what lies on a GPU or a MIG instance: memory, motions, processes.
#pragma once

#include "fakes/nvml/story/scenario.h"
#include "fakes/nvml/story/story_table.h"

namespace nvml_fake {

/// `start` and `stop`.
[[nodiscard]] Span read_span(const StoryTable& table);

/// Name, UUID, sizes, motions and processes, over the values that the part has where the table is silent. `title` is
/// the table's own: processes are called `[[title.process]]`.
void read_part(const StoryTable& table, const std::string& title, Part& part);

}  // namespace nvml_fake
