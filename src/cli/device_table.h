// The table of devices that status and watch show.
#pragma once

#include <string>
#include <vector>

#include "cli/style.h"
#include "dualgpuopt/memory/monitor/snapshot.h"

namespace dualgpuopt::memory::cli {

struct TableStyle {
  std::size_t width = 100;  ///< Columns to fill; under kNarrowest the table is as narrow as it gets.
  Colors colors = Colors::Off;
  ByteUnit unit = ByteUnit::Auto;
};

inline constexpr std::size_t kNarrowest = 72;

/// A heading and one line a device, each exactly as wide as the others; the bar takes what room is left.
[[nodiscard]] std::vector<std::string> device_table(const Snapshot& snapshot, const TableStyle& style);

/// One line a process of the device with memory, PID and name, most memory first, at most `most` lines and a rest.
[[nodiscard]] std::vector<std::string> process_lines(const DeviceSnapshot& device, const TableStyle& style,
                                                     std::size_t most);

}  // namespace dualgpuopt::memory::cli
