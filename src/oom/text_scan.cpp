#include "oom/text_scan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace dualgpuopt::memory {
namespace {

constexpr auto kNowhere = std::string_view::npos;
constexpr std::size_t kLongestNumber = 64;
constexpr std::uint64_t kDeviceLimit = 1024;

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array kUnits{
    Unit{"b", 1},        Unit{"byte", 1},     Unit{"bytes", 1},    Unit{"k", 0x1p10},   Unit{"kb", 0x1p10},
    Unit{"kib", 0x1p10}, Unit{"m", 0x1p20},   Unit{"mb", 0x1p20},  Unit{"mib", 0x1p20}, Unit{"g", 0x1p30},
    Unit{"gb", 0x1p30},  Unit{"gib", 0x1p30}, Unit{"t", 0x1p40},   Unit{"tb", 0x1p40},  Unit{"tib", 0x1p40},
    Unit{"pb", 0x1p50},  Unit{"eb", 0x1p60},  Unit{"pib", 0x1p50}, Unit{"eib", 0x1p60},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
bool is_blank(char c) { return c == ' '; }

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && is_blank(text[at])) ++at;
  return at;
}

/// A comma between digits that groups thousands.
bool is_group(std::string_view text, std::size_t at) {
  if (text[at] != ',' || at + 3 >= text.size()) return false;
  const bool three = is_digit(text[at + 1]) && is_digit(text[at + 2]) && is_digit(text[at + 3]);
  return three && (at + 4 == text.size() || !is_digit(text[at + 4]));
}

/// The digits of a number and where it ends; "" where there is none.
struct Digits {
  std::string text;
  std::size_t end = 0;
  bool is_whole = true;
};

/// A point or a digit, or a comma between thousands.
bool is_of_number(std::string_view text, std::size_t at) {
  if (is_digit(text[at]) || is_group(text, at)) return true;
  return text[at] == '.' && at + 1 < text.size() && is_digit(text[at + 1]);
}

/// "e18", "e+18" after the digits of a number; 0 where there is none.
std::size_t exponent_length(std::string_view text, std::size_t at) {
  if (at + 1 >= text.size() || text[at] != 'e') return 0;
  auto end = at + 1;
  if (text[end] == '+' || text[end] == '-') ++end;
  const auto start = end;
  while (end < text.size() && is_digit(text[end])) ++end;
  const bool goes_on = end < text.size() && (is_letter(text[end]) || text[end] == '_');
  return end == start || end - start > 4 || goes_on ? 0 : end - at;
}

Digits digits_at(std::string_view text, std::size_t at) {
  Digits digits;
  for (; at < text.size() && is_of_number(text, at) && digits.text.size() < kLongestNumber; ++at) {
    if (!digits.is_whole && !is_digit(text[at])) break;
    if (text[at] == '.') digits.is_whole = false;
    if (text[at] != ',') digits.text += text[at];
  }
  const auto exponent = digits.text.empty() ? 0 : exponent_length(text, at);
  digits.text += text.substr(at, exponent);
  if (exponent > 0) digits.is_whole = true;
  digits.end = at + exponent;
  return digits;
}

double value_of(const std::string& digits) {
  double value = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  (void)end;
  return problem == std::errc{} ? value : HUGE_VAL;
}

const Unit* unit_named(std::string_view name) {
  const auto* unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == name; });
  return unit == kUnits.end() ? nullptr : unit;
}

std::string_view word_at(std::string_view text, std::size_t at) {
  auto end = at;
  while (end < text.size() && is_letter(text[end])) ++end;
  return text.substr(at, end - at);
}

/// Whole numbers of bytes keep every digit.
std::optional<Bytes> bytes_of(const Digits& digits, double factor) {
  Bytes whole = 0;
  const auto* end = digits.text.data() + digits.text.size();
  const auto [stop, problem] = std::from_chars(digits.text.data(), end, whole);
  if (factor == 1 && problem == std::errc{} && stop == end && whole < Bytes{1} << 63) return whole;
  const double bytes = value_of(digits.text) * factor;
  return bytes < 0x1p63 ? std::optional(static_cast<Bytes>(std::llround(bytes))) : std::nullopt;
}

/// Calls `read(position after the phrase)` for each occurrence until it answers.
template <typename Read>
auto first_answer(std::string_view text, std::string_view phrase, Read read) -> decltype(read(std::size_t{})) {
  for (auto at = text.find(phrase); at != kNowhere; at = text.find(phrase, at + 1)) {
    if (auto answer = read(at + phrase.size())) return answer;
  }
  return std::nullopt;
}

/// Where the amount begins that ends before `end`; at `end` where its digits go on from a word, as in "0x10".
std::size_t start_of_amount(std::string_view text, const std::size_t phrase) {
  auto end = phrase;
  const auto back_over = [&](auto belongs) {
    while (end > 0 && belongs(text[end - 1])) --end;
  };
  back_over(is_blank);
  back_over(is_letter);
  back_over(is_blank);
  back_over([](char c) { return is_digit(c) || c == '.' || c == ','; });
  if (end > 0 && is_letter(text[end - 1])) return phrase;
  if (end > 0 && text[end - 1] == '-') --end;
  return end;
}

}  // namespace

bool contains(std::string_view text, std::string_view phrase) { return text.find(phrase) != kNowhere; }

bool contains_any(std::string_view text, std::initializer_list<std::string_view> phrases) {
  return std::any_of(phrases.begin(), phrases.end(), [&](std::string_view phrase) { return contains(text, phrase); });
}

std::optional<Amount> amount_at(std::string_view text, std::size_t at) {
  at = skip_blanks(text, at);
  const bool is_negative = at < text.size() && text[at] == '-';
  const auto digits = digits_at(text, at + (is_negative ? 1 : 0));
  if (digits.text.empty()) return std::nullopt;
  const auto name = word_at(text, skip_blanks(text, digits.end));
  const auto* unit = unit_named(name);
  if (unit == nullptr && !digits.is_whole) return std::nullopt;
  const auto end = unit == nullptr ? digits.end : static_cast<std::size_t>(name.data() - text.data()) + name.size();
  if (is_negative) return Amount{std::nullopt, end};
  return Amount{bytes_of(digits, unit == nullptr ? 1 : unit->factor), end};
}

std::optional<Amount> amount_after(std::string_view text, std::string_view phrase) {
  return first_answer(text, phrase, [&](std::size_t at) { return amount_at(text, at); });
}

std::optional<Amount> exact_amount_after(std::string_view text, std::string_view phrase) {
  const auto rounded = amount_after(text, phrase);
  if (!rounded) return rounded;
  const auto bracket = skip_blanks(text, rounded->end);
  if (bracket >= text.size() || text[bracket] != '(') return rounded;
  const auto exact = amount_at(text, bracket + 1);
  return exact ? exact : rounded;
}

std::optional<Amount> amount_before(std::string_view text, std::string_view phrase) {
  return first_answer(text, phrase, [&](std::size_t end) -> std::optional<Amount> {
    const auto phrase_start = end - phrase.size();
    const auto amount = amount_at(text, start_of_amount(text, phrase_start));
    return amount && skip_blanks(text, amount->end) >= phrase_start ? amount : std::nullopt;
  });
}

std::optional<std::uint64_t> number_after(std::string_view text, std::string_view phrase) {
  return first_answer(text, phrase, [&](std::size_t at) -> std::optional<std::uint64_t> {
    const auto digits = digits_at(text, skip_blanks(text, at));
    return digits.text.empty() || !digits.is_whole ? std::nullopt : bytes_of(digits, 1);
  });
}

std::optional<int> device_after(std::string_view text, std::string_view phrase) {
  return first_answer(text, phrase, [&](std::size_t at) -> std::optional<int> {
    const auto digits = digits_at(text, skip_blanks(text, at));
    const auto index = digits.text.empty() || !digits.is_whole ? std::nullopt : bytes_of(digits, 1);
    return index && *index < kDeviceLimit ? std::optional(static_cast<int>(*index)) : std::nullopt;
  });
}

std::optional<double> decimal_after(std::string_view text, std::string_view phrase) {
  return first_answer(text, phrase, [&](std::size_t at) -> std::optional<double> {
    at = skip_blanks(text, at);
    const bool is_negative = at < text.size() && text[at] == '-';
    const auto digits = digits_at(text, at + (is_negative ? 1 : 0));
    if (digits.text.empty()) return std::nullopt;
    const double value = value_of(digits.text);
    return std::isfinite(value) ? std::optional(is_negative ? -value : value) : std::nullopt;
  });
}

}  // namespace dualgpuopt::memory
