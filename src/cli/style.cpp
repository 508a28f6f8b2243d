#include "cli/style.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace dualgpuopt::memory::cli {
namespace {

std::string wrap(std::string_view text, std::string_view code, Colors colors) {
  if (colors == Colors::Off) return std::string(text);
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

std::string_view color_code(Level level) {
  switch (level) {
    case Level::Normal: return "32";
    case Level::Warning: return "33";
    case Level::Critical: return "31";
    case Level::Emergency: return "1;37;41";
  }
  return "0";
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

/// Bytes of the first `columns` characters.
std::size_t prefix_bytes(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (is_continuation(text[at])) continue;
    if (columns == 0) break;
    --columns;
  }
  return at;
}

std::string cut(const std::string& text, std::size_t width) {
  if (display_width(text) <= width) return text;
  return width == 0 ? "" : text.substr(0, prefix_bytes(text, width - 1)) + "…";
}

}  // namespace

Colors choose_colors(bool is_terminal) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool refused =
      (no_color != nullptr && *no_color != '\0') || (terminal != nullptr && std::string_view(terminal) == "dumb");
  return is_terminal && !refused ? Colors::On : Colors::Off;
}

std::string paint(std::string_view text, Level level, Colors colors) { return wrap(text, color_code(level), colors); }
std::string bold(std::string_view text, Colors colors) { return wrap(text, "1", colors); }
std::string faint(std::string_view text, Colors colors) { return wrap(text, "2", colors); }

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\x1b') {
      at = std::min(text.find('m', at), text.size());
    } else if (!is_continuation(text[at])) {
      ++width;
    }
  }
  return width;
}

std::string printable(std::string_view text) {
  std::string shown(text);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  std::replace_if(shown.begin(), shown.end(), is_control, '?');
  return shown;
}

std::string fit(std::string_view text, std::size_t width) {
  const auto fitted = cut(printable(text), width);
  return fitted + std::string(width - display_width(fitted), ' ');
}

std::string fit_right(std::string_view text, std::size_t width) {
  const auto fitted = cut(printable(text), width);
  return std::string(width - display_width(fitted), ' ') + fitted;
}

std::string bar(double fraction, std::size_t width) {
  static constexpr std::array<std::string_view, 8> kPartial{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths =
      static_cast<std::size_t>(std::lround(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(width) * 8));
  std::string text;
  for (std::size_t i = 0; i < eighths / 8; ++i) text += "█";
  text += kPartial.at(eighths % 8);
  const auto filled = display_width(text);
  for (std::size_t i = filled; i < width; ++i) text += "░";
  return text;
}

}  // namespace dualgpuopt::memory::cli
