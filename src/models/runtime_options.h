// Which options belong to which runtime.
#pragma once

#include <string>

#include "dualgpuopt/memory/models/estimate.h"

namespace dualgpuopt::memory {

/// Refuses what the runtime does not have: an option that would change nothing is not taken in silence. What has its
/// default value counts as not given. Error: InvalidArgument, naming the option and the runtimes that have it.
/// A profile, as which `runtime` may name "a profile", has none of them.
[[nodiscard]] Result<void> check_options(const EstimateRequest& request, const std::string& runtime);

}  // namespace dualgpuopt::memory
