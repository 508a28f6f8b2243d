#include "oom/log_lines.h"

#include <algorithm>
#include <cstddef>

namespace dualgpuopt::memory {
namespace {

constexpr auto kNowhere = std::string_view::npos;
constexpr std::size_t kLongestText = 300;

bool is_control(char c) { return (c >= '\0' && c < ' ') || c == '\x7f'; }

/// How many bytes an escape sequence takes at the start of the text: CSI and OSC, else two.
std::size_t escape_length(std::string_view text) {
  if (text.size() < 2) return text.size();
  if (text[1] == ']') {
    const auto end = text.find('\a');
    return end == kNowhere ? 2 : end + 1;
  }
  if (text[1] != '[') return 2;
  std::size_t end = 2;
  while (end < text.size() && text[end] >= ' ' && text[end] < '@') ++end;
  return std::min(end + 1, text.size());
}

/// The length that the first byte of a UTF-8 character tells; 0 for one that is none.
std::size_t told_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return 2;
  return first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
}

/// The length of the UTF-8 character at the start of the text; 0 where that is none.
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto length = told_length(byte(0));
  if (length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xF0 && byte(1) < 0x90);
  const bool beyond = (byte(0) == 0xED && byte(1) > 0x9F) || (byte(0) == 0xF4 && byte(1) > 0x8F);
  const bool is_c1 = byte(0) == 0xC2 && byte(1) < 0xA0;  // control characters again
  return overlong || beyond || is_c1 ? 0 : length;
}

/// Calls `add` with every piece of the line that is not an escape sequence.
template <typename Add>
void without_escapes(std::string_view line, Add add) {
  while (!line.empty()) {
    const auto escape = std::min(line.find('\x1b'), line.size());
    add(line.substr(0, escape));
    line.remove_prefix(escape);
    if (!line.empty()) line.remove_prefix(escape_length(line));
  }
}

/// How many bytes at the start of the text stand for a blank: a control character, "\n" as JSON writes it, a blank that
/// does not break, the frame of a box.
std::size_t blank_length(std::string_view text) {
  if (text[0] == ' ' || is_control(text[0])) return 1;
  if (text[0] == '\\') return text.size() > 1 && (text[1] == 'n' || text[1] == 'r' || text[1] == 't') ? 2 : 0;
  if (text.starts_with("\xC2\xA0")) return 2;
  const bool is_frame = text.starts_with("\xE2\x94") || text.starts_with("\xE2\x95");
  return is_frame && text.size() > 2 ? 3 : 0;
}

void add_normalized(std::string& text, std::string_view piece) {
  while (!piece.empty()) {
    const char c = piece[0];
    const auto blank = blank_length(piece);
    if (blank == 0) {
      text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (c != '\0' && !text.empty() && text.back() != ' ') {
      text += ' ';
    }
    piece.remove_prefix(std::max<std::size_t>(blank, 1));
  }
}

}  // namespace

std::string normalized(std::string_view line) {
  std::string text;
  text.reserve(line.size());
  without_escapes(line, [&](std::string_view piece) { add_normalized(text, piece); });
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::string readable(std::string_view line) {
  std::string text;
  without_escapes(line, [&](std::string_view piece) {
    while (!piece.empty() && text.size() < kLongestText) {
      const auto length = character_length(piece);
      if (text.size() + length > kLongestText) return;
      if (length == 0) text += '?';
      if (length > 0 && piece[0] != '\0') text += is_control(piece[0]) ? " " : piece.substr(0, length);
      piece.remove_prefix(std::max<std::size_t>(length, 1));
    }
  });
  return text;
}

}  // namespace dualgpuopt::memory
