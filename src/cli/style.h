// How text looks on a terminal: colours, widths and bars.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "dualgpuopt/memory/metrics/level.h"

namespace dualgpuopt::memory::cli {

enum class Colors { Off, On };

/// On for a terminal unless NO_COLOR is set to anything (https://no-color.org) or TERM is "dumb".
[[nodiscard]] Colors choose_colors(bool is_terminal);

/// The text in the level's colour: green, yellow, red, white on red.
[[nodiscard]] std::string paint(std::string_view text, Level level, Colors colors);
[[nodiscard]] std::string bold(std::string_view text, Colors colors);
[[nodiscard]] std::string faint(std::string_view text, Colors colors);

/// Columns a UTF-8 text takes on the screen, escape sequences not counted; every character is taken as one column.
[[nodiscard]] std::size_t display_width(std::string_view text);
/// The text with "?" for everything a terminal could act on: names of processes and devices may hold any byte.
[[nodiscard]] std::string printable(std::string_view text);
/// The printable text, cut or filled with blanks to `width` columns; a cut text ends in "…".
[[nodiscard]] std::string fit(std::string_view text, std::size_t width);
[[nodiscard]] std::string fit_right(std::string_view text, std::size_t width);

/// A bar of `width` columns, filled to `fraction` (clamped to 0..1) in eighths of a column.
[[nodiscard]] std::string bar(double fraction, std::size_t width);

}  // namespace dualgpuopt::memory::cli
