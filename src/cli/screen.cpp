#include "cli/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace dualgpuopt::memory::cli {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kClearLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";

std::size_t environment_number(const char* name, std::size_t otherwise) {
  const char* value = std::getenv(name);
  std::size_t number = 0;
  if (value == nullptr) return otherwise;
  const std::string_view text(value);
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  return problem == std::errc{} && number > 0 ? number : otherwise;
}

}  // namespace

TerminalSize terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    return {size.ws_col, size.ws_row};
  }
  const TerminalSize defaults;
  return {environment_number("COLUMNS", defaults.columns), environment_number("LINES", defaults.rows)};
}

Screen::Screen(Output& output) : output_(output) { (void)output_.write(kEnter); }

Screen::~Screen() { (void)output_.write(kLeave); }

Result<void> Screen::draw(const std::vector<std::string>& lines) {
  std::string frame(kHome);
  const auto shown = std::min(lines.size(), terminal_size().rows);
  for (std::size_t i = 0; i < shown; ++i) {
    frame += lines[i];
    frame += kClearLine;
    if (i + 1 < shown) frame += "\r\n";
  }
  frame += kClearBelow;
  return output_.write(frame);
}

}  // namespace dualgpuopt::memory::cli
