// What watch shows on a terminal, as lines of text.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "cli/device_table.h"

namespace dualgpuopt::memory::cli {

/// A title, the table, and as many of the newest events as there is room for, each line cut to the width.
[[nodiscard]] std::vector<std::string> watch_frame(const Snapshot& snapshot, const std::string& source,
                                                   const std::deque<std::string>& events, const TableStyle& style,
                                                   std::size_t rows);

}  // namespace dualgpuopt::memory::cli
