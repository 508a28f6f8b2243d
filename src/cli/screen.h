// The terminal as a screen that is redrawn in place.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/output.h"

namespace dualgpuopt::memory::cli {

struct TerminalSize {
  std::size_t columns = 100;
  std::size_t rows = 30;
};
/// Of standard output; COLUMNS and LINES, then the defaults, where it is no terminal.
[[nodiscard]] TerminalSize terminal_size();

/// Takes the alternate screen for its lifetime and gives the terminal back as it was.
class Screen {
 public:
  explicit Screen(Output& output);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  /// Shows these lines from the top, without flicker; what does not fit below is left out.
  [[nodiscard]] Result<void> draw(const std::vector<std::string>& lines);

 private:
  Output& output_;
};

}  // namespace dualgpuopt::memory::cli
