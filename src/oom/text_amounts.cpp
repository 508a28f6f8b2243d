#include "oom/text_amounts.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace dualgpuopt::memory {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_number_part(char c) { return is_digit(c) || c == '.' || c == ','; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

template <typename Predicate>
std::string_view take_while(std::string_view& text, Predicate predicate) {
  std::size_t length = 0;
  while (length < text.size() && predicate(text[length])) ++length;
  const auto taken = text.substr(0, length);
  text.remove_prefix(length);
  return taken;
}

void skip_spaces(std::string_view& text) {
  (void)take_while(text, [](char c) { return c == ' '; });
}

/// "1,024.5" is 1024.5; a last comma or full stop belongs to the sentence.
std::optional<double> parse_number(std::string_view written) {
  std::string digits;
  for (const char c : written) {
    if (c != ',') digits += c;
  }
  while (!digits.empty() && digits.back() == '.') digits.pop_back();
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

struct Unit {
  std::string_view name;
  double bytes;
};
constexpr std::array kUnits{Unit{"B", 1},        Unit{"bytes", 1},    Unit{"byte", 1},     Unit{"KiB", 0x1p10},
                            Unit{"MiB", 0x1p20}, Unit{"GiB", 0x1p30}, Unit{"TiB", 0x1p40}, Unit{"KB", 0x1p10},
                            Unit{"MB", 0x1p20},  Unit{"GB", 0x1p30},  Unit{"TB", 0x1p40},  Unit{"kB", 0x1p10},
                            Unit{"M", 0x1p20},   Unit{"G", 0x1p30}};

std::optional<double> unit_named(std::string_view name) {
  for (const auto& unit : kUnits) {
    if (unit.name == name) return unit.bytes;
  }
  return std::nullopt;
}

std::optional<Bytes> bytes_of(std::optional<double> number, double unit) {
  if (!number) return std::nullopt;
  const double bytes = std::round(*number * unit);
  return bytes >= 0 && bytes < 0x1p64 ? std::optional(static_cast<Bytes>(bytes)) : std::nullopt;
}

}  // namespace

std::string_view rest_after(std::string_view text, std::string_view words) {
  const auto at = text.find(words);
  return at == std::string_view::npos ? std::string_view{} : text.substr(at + words.size());
}

std::optional<Bytes> amount_after(std::string_view text, std::string_view words) {
  auto rest = rest_after(text, words);
  skip_spaces(rest);
  const auto number = parse_number(take_while(rest, is_number_part));
  skip_spaces(rest);
  return bytes_of(number, unit_named(take_while(rest, is_letter)).value_or(1));
}

std::optional<Bytes> amount_before(std::string_view text, std::string_view words) {
  const auto at = text.find(words);
  if (at == std::string_view::npos) return std::nullopt;
  auto before = text.substr(0, at);
  while (!before.empty() && before.back() == ' ') before.remove_suffix(1);
  auto begin = before.size();
  while (begin > 0 && is_letter(before[begin - 1])) --begin;
  const auto unit = unit_named(before.substr(begin));
  before = before.substr(0, begin);
  while (!before.empty() && before.back() == ' ') before.remove_suffix(1);
  begin = before.size();
  while (begin > 0 && is_number_part(before[begin - 1])) --begin;
  return unit ? bytes_of(parse_number(before.substr(begin)), *unit) : std::nullopt;
}

std::optional<double> number_after(std::string_view text, std::string_view words) {
  auto rest = rest_after(text, words);
  skip_spaces(rest);
  const bool is_negative = rest.starts_with('-');
  if (is_negative) rest.remove_prefix(1);
  const auto number = parse_number(take_while(rest, is_number_part));
  return number && is_negative ? -*number : number;
}

std::optional<std::uint64_t> whole_after(std::string_view text, std::string_view words) {
  const auto number = number_after(text, words);
  if (!number || *number < 0 || *number >= 0x1p63 || *number != std::floor(*number)) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

}  // namespace dualgpuopt::memory
