// The configuration file: TOML, every key optional, every unknown key an error.
#pragma once

#include <filesystem>
#include <string_view>

#include "dualgpuopt/memory/monitor/monitor_config.h"

namespace dualgpuopt::memory {

/// Reads a configuration; docs/configuration.md lists the keys. Errors (ParseFailed) name the line, the column and the
/// key, the bad text and what was expected; InvalidArgument for values that contradict each other.
[[nodiscard]] Result<MonitorConfig> parse_config(std::string_view text);
/// parse_config of a file; errors carry its name.
[[nodiscard]] Result<MonitorConfig> load_config(const std::filesystem::path& file);

}  // namespace dualgpuopt::memory
