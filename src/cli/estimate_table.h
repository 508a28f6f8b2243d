// What `gpumem estimate` shows: the parts as a table, and whether it fits.
#pragma once

#include <string>

#include "dualgpuopt/memory/profiles/profile_estimate.h"

namespace dualgpuopt::memory::cli {

[[nodiscard]] std::string estimate_table(const LlamaCppEstimate& estimate);
[[nodiscard]] std::string estimate_table(const VllmEstimate& estimate);
[[nodiscard]] std::string estimate_table(const TransformersEstimate& estimate);
[[nodiscard]] std::string estimate_table(const TrainingEstimate& estimate);
[[nodiscard]] std::string estimate_table(const ProfileEstimate& estimate);

}  // namespace dualgpuopt::memory::cli
