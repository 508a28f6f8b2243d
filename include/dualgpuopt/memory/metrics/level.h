// How close to full a device is.
#pragma once

#include <string_view>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {

/// Ordered: a higher level is nearer to running out.
enum class Level { Normal, Warning, Critical, Emergency };

[[nodiscard]] std::string_view to_string(Level level);
/// Reads "warning" and the like, in any letter case.
[[nodiscard]] Result<Level> parse_level(std::string_view text);

}  // namespace dualgpuopt::memory
