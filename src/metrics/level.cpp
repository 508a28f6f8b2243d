#include "dualgpuopt/memory/metrics/level.h"

#include "metrics/parse_enum.h"

namespace dualgpuopt::memory {

std::string_view to_string(Level level) {
  switch (level) {
    case Level::Normal: return "normal";
    case Level::Warning: return "warning";
    case Level::Critical: return "critical";
    case Level::Emergency: return "emergency";
  }
  return "unknown";
}

Result<Level> parse_level(std::string_view text) {
  return parse_enum(text, "a level", std::array{Level::Normal, Level::Warning, Level::Critical, Level::Emergency});
}

}  // namespace dualgpuopt::memory
