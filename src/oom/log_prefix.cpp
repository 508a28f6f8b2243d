#include "oom/log_prefix.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace dualgpuopt::memory {
namespace {

constexpr auto kNowhere = std::string_view::npos;
/// Of a prefix, its parts and the length of one.
constexpr int kMostParts = 12;
constexpr std::size_t kLongestPart = 80;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

std::string_view token_of(std::string_view text) { return text.substr(0, text.find(' ')); }

/// Without what stands between the parts of a prefix.
std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text[0] == ' ' || text[0] == '|' || text[0] == '>' || text[0] == ':')) text.remove_prefix(1);
  return text.starts_with("- ") ? trimmed(text.substr(2)) : text;
}

std::string_view after_token(std::string_view text) { return trimmed(text.substr(token_of(text).size())); }

/// "12:00:00.123456:", "2026-11-24t12:00:00z", "2026/11/24": digits with two of the signs of dates.
bool is_date(std::string_view token) {
  int signs = 0;
  for (const char c : token) {
    if (c == '-' || c == ':' || c == '/') {
      ++signs;
    } else if (!is_digit(c) && std::string_view(".,tz+").find(c) == kNowhere) {
      return false;
    }
  }
  return signs >= 2 && is_digit(token[0]);
}

/// "11-24" or glog's "e1124", before a time.
bool is_day(std::string_view token) {
  if (token.size() != 5) return false;
  const bool is_glog = std::string_view("iwef").find(token[0]) != kNowhere && is_digit(token[1]);
  return (is_glog || (is_digit(token[0]) && token[2] == '-')) && is_digit(token[4]);
}

bool is_month(std::string_view token) {
  constexpr std::array months{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
  return std::find(months.begin(), months.end(), token) != months.end();
}

bool is_level(std::string_view token) {
  if (token.ends_with(':')) token.remove_suffix(1);
  constexpr std::array levels{"debug", "info", "warn", "warning", "error",  "err", "critical", "fatal",
                              "trace", "i",    "w",    "stdout",  "stderr", "e",   "f",        "p"};
  return std::find(levels.begin(), levels.end(), token) != levels.end();
}

/// "unit[123]:" or "kernel:", after a host.
bool is_unit(std::string_view token) {
  return token == "kernel:" || (token.ends_with("]:") && token.find('[') != kNowhere && token[0] != '[');
}

/// "cuda_driver.cc:828]", as glog names a place.
bool is_place(std::string_view token) {
  return token.ends_with(']') && token.find('[') == kNowhere && token.find(':') != kNowhere &&
         token.find('.') != kNowhere;
}

/// What is in the bracket with which the text begins; empty where that is none, or a long one.
std::string_view in_bracket(std::string_view text, char close) {
  const auto end = text.substr(0, kLongestPart).find(close);
  return end == kNowhere ? std::string_view() : text.substr(1, end - 1);
}

/// "[rank0]", "[core.py:123]", "[2026-11-24 12:00:00]", and no "[500,17]".
std::string_view after_square_bracket(std::string_view text) {
  const auto inside = in_bracket(text, ']');
  if (inside.empty()) return text;
  const auto rest = text.substr(inside.size() + 2);
  const bool is_name = std::any_of(inside.begin(), inside.end(), [](char c) { return is_letter(c) || c == ':'; });
  return is_name || rest.starts_with('<') ? trimmed(rest) : text;
}

/// "(enginecore_dp0 pid=123)", "(raylet)".
std::string_view after_round_bracket(std::string_view text) {
  const auto inside = in_bracket(text, ')');
  const bool is_prefix = inside.find("pid=") != kNowhere || inside.find("rank") != kNowhere || inside == "raylet";
  return is_prefix ? trimmed(text.substr(inside.size() + 2)) : text;
}

/// "<stderr>:", as mpirun names the stream.
std::string_view after_stream(std::string_view text) {
  const auto inside = in_bracket(text, '>');
  return inside.starts_with("std") ? trimmed(text.substr(inside.size() + 2)) : text;
}

/// "container_1 | ", "module.name - ": a name, what ends it, and the rest.
std::string_view after_name(std::string_view text) {
  const auto rest = text.substr(std::min(text.size(), token_of(text).size() + 1));
  return rest.starts_with("| ") ? trimmed(rest) : text;
}

/// What follows a date: the host and unit of journald, or a logger's name before a dash.
std::string_view after_source(std::string_view text) {
  const auto rest = after_token(text);
  if (is_unit(token_of(text))) return rest;
  if (is_unit(token_of(rest))) return after_token(rest);
  return text.substr(token_of(text).size()).starts_with(" - ") ? rest : text;
}

bool is_date_ahead(std::string_view text) {
  const auto next = token_of(after_token(text));
  return !next.empty() && (is_date(next) || is_day(next));
}

/// The text without the first part of a prefix; the text itself where it begins with none.
std::string_view after_part(std::string_view text) {
  const auto token = token_of(text);
  if (text[0] == '[') return after_square_bracket(text);
  if (text[0] == '(') return after_round_bracket(text);
  if (text[0] == '<') return after_stream(text);
  if (token.size() > kLongestPart) return text;
  if (is_date(token)) return after_source(after_token(text));
  if (is_month(token)) return after_token(text);
  const bool is_dated = is_day(token) || is_level(token) || std::all_of(token.begin(), token.end(), is_digit);
  if (is_dated && is_date_ahead(text)) return after_token(text);
  if (is_place(token)) return after_token(text);
  return after_name(text);
}

/// What may stand between the parts of a prefix, but begins no line.
std::string_view after_inner_part(std::string_view text) {
  const auto token = token_of(text);
  const auto rest = after_token(text);
  const bool is_thread = std::all_of(token.begin(), token.end(), is_digit) && is_place(token_of(rest));
  if (is_level(token) || is_thread || is_place(token)) return rest;
  return text.substr(token.size()).starts_with(" - ") ? rest : text;
}

}  // namespace

std::string_view without_prefix(std::string_view line) {
  auto rest = line.starts_with(':') ? line : trimmed(line);
  for (int parts = 0; parts < kMostParts && !rest.empty(); ++parts) {
    const auto before = rest;
    rest = after_part(rest);
    if (rest == before && parts > 0) rest = after_inner_part(rest);
    if (rest == before) break;
  }
  return rest;
}

}  // namespace dualgpuopt::memory
