// What loggers put before each line. Private to the library.
#pragma once

#include <string_view>

namespace dualgpuopt::memory {

/// A normalized line without what a logger puts before each: "[rank0]:", "(EngineCore_DP0 pid=123) error 11-24 12:00:00
/// [core.py:123]", "container_1 |", dates, host and unit of journald.
[[nodiscard]] std::string_view without_prefix(std::string_view line);

}  // namespace dualgpuopt::memory
