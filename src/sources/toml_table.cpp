#include "sources/toml_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::size_t kLongestShown = 60;
constexpr std::size_t kLongestMessage = 200;
constexpr std::string_view kSize = "a size, as in \"24GiB\"";
constexpr std::string_view kSignedSize = "a size, as in \"2GiB\" or \"-512MiB\"";
constexpr std::string_view kPercent = "a percentage, as in \"80%\"";
constexpr std::string_view kDuration = "a duration, as in \"20s\"";

/// Foreign text as a message quotes it: short, and with nothing that a terminal could act on.
std::string shown(std::string_view text) {
  return format_text("{:?}{}", text.substr(0, kLongestShown), text.size() > kLongestShown ? "..." : "");
}

/// A message of the TOML library, which repeats characters of the text as they are.
std::string harmless(std::string_view message) {
  std::string line(message.substr(0, kLongestMessage));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return line;
}

/// What stands where something else was expected.
std::string found(const toml::node& value) {
  if (const auto* text = value.as_string()) return "the text " + shown(text->get());
  if (const auto* number = value.as_integer()) return format_text("the number {}", number->get());
  if (const auto* number = value.as_floating_point()) return format_text("the number {}", number->get());
  if (const auto* truth = value.as_boolean()) return truth->get() ? "true" : "false";
  if (value.is_table()) return "a table";
  return value.is_array() ? "a list" : "a date or time";
}

Result<SignedBytes> parse_signed_bytes(std::string_view text) {
  const auto start = std::min(text.find_first_not_of(" \t"), text.size());
  const bool negative = text.substr(start, 1) == "-";
  const auto magnitude = parse_bytes(negative ? text.substr(start + 1) : text);
  if (!magnitude) return fail(magnitude.error());
  const auto amount = static_cast<SignedBytes>(*magnitude);
  return negative ? -amount : amount;
}

/// A number as its author could have written it in quotes; empty for what is neither text nor number.
std::optional<std::string> as_quantity_text(const toml::node& value) {
  if (const auto* text = value.as_string()) return text->get();
  if (const auto* number = value.as_integer()) return std::to_string(number->get());
  if (const auto* number = value.as_floating_point()) return format_text("{}", number->get());
  return std::nullopt;
}

}  // namespace

Error toml_error(const toml::source_region& place, std::string message) {
  return Error(ErrorCode::ParseFailed, std::move(message))
      .with_context(format_text("line {}, column {}", place.begin.line, place.begin.column));
}

Result<toml::table> parse_toml(std::string_view text) {
  auto parsed = toml::parse(text);
  if (parsed.failed()) {
    return fail(toml_error(parsed.error().source(), harmless(parsed.error().description())));
  }
  return std::move(parsed).table();
}

void TomlTable::allow_only(const std::vector<std::string_view>& keys) const {
  for (const auto& [key, value] : *table_) {
    if (std::find(keys.begin(), keys.end(), key.str()) != keys.end()) continue;
    report(key.source(),
           format_text("unknown key {} in {}: expected one of {}", shown(key.str()), title_, fmt::join(keys, ", ")));
  }
}

void TomlTable::require(std::string_view key, std::string_view expected) const {
  if (!table_->contains(key)) {
    report(table_->source(), format_text("the key \"{}\" is missing in {}: expected {}", key, title_, expected));
  }
}

void TomlTable::refuse(std::string_view key, std::string_view why) const {
  const auto* value = table_->get(key);
  report(value != nullptr ? value->source() : table_->source(), format_text("{}: {}", key, why));
}

void TomlTable::report(const toml::source_region& place, std::string message) const {
  if (!*error_) *error_ = toml_error(place, std::move(message));
}

void TomlTable::report_type(std::string_view key, const toml::node& value, std::string_view expected) const {
  report(value.source(), format_text("{}: found {}, expected {}", key, found(value), expected));
}

std::optional<std::string> TomlTable::text(std::string_view key) const {
  const auto* value = table_->get(key);
  if (value == nullptr) return std::nullopt;
  const auto* text = value->as_string();
  if (text == nullptr || text->get().empty()) {
    report_type(key, *value, "a text that is not empty");
    return std::nullopt;
  }
  return text->get();
}

std::optional<bool> TomlTable::flag(std::string_view key) const {
  const auto* value = table_->get(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* flag = value->as_boolean()) return flag->get();
  report_type(key, *value, "true or false");
  return std::nullopt;
}

std::optional<std::int64_t> TomlTable::whole_number(std::string_view key, std::int64_t least, std::int64_t most) const {
  const auto* value = table_->get(key);
  if (value == nullptr) return std::nullopt;
  const auto* number = value->as_integer();
  if (number == nullptr || number->get() < least || number->get() > most) {
    report_type(key, *value, format_text("a whole number from {} to {}", least, most));
    return std::nullopt;
  }
  return number->get();
}

template <typename T>
std::optional<T> TomlTable::quantity(std::string_view key, std::string_view expected,
                                     Result<T> (*parse)(std::string_view)) const {
  const auto* value = table_->get(key);
  if (value == nullptr) return std::nullopt;
  const auto text = as_quantity_text(*value);
  if (!text) {
    report_type(key, *value, expected);
    return std::nullopt;
  }
  const auto amount = parse(*text);
  if (!amount) {
    refuse(key, amount.error().message());
    return std::nullopt;
  }
  return *amount;
}

std::optional<double> TomlTable::number(std::string_view key) const {
  const auto* value = table_->get(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = value->as_integer()) return static_cast<double>(number->get());
  const auto* number = value->as_floating_point();
  if (number != nullptr && std::isfinite(number->get())) return number->get();
  report_type(key, *value, "a finite number");
  return std::nullopt;
}

std::optional<Bytes> TomlTable::bytes(std::string_view key) const {
  const auto* value = table_->get(key);
  const auto* number = value != nullptr ? value->as_integer() : nullptr;
  if (number != nullptr && number->get() >= 0) return static_cast<Bytes>(number->get());  // a double would round it
  return quantity(key, kSize, parse_bytes);
}

std::optional<SignedBytes> TomlTable::signed_bytes(std::string_view key) const {
  return quantity(key, kSignedSize, parse_signed_bytes);
}

std::optional<Duration> TomlTable::duration(std::string_view key) const {
  return quantity(key, kDuration, parse_duration);
}

std::optional<double> TomlTable::percent(std::string_view key) const { return quantity(key, kPercent, parse_percent); }

std::optional<std::vector<std::string>> TomlTable::texts(std::string_view key) const {
  const auto* value = table_->get(key);
  if (value == nullptr) return std::nullopt;
  std::vector<std::string> texts;
  const auto* list = value->as_array();
  const auto is_text = [&](const toml::node& element) {
    if (const auto* text = element.as_string()) texts.push_back(text->get());
    return element.is_string() && !texts.back().empty();
  };
  if (list == nullptr || !std::all_of(list->begin(), list->end(), is_text)) {
    report_type(key, *value, "a list of texts that are not empty");
    return std::nullopt;
  }
  return texts;
}

std::optional<TomlTable> TomlTable::table(std::string_view key, const std::string& title) const {
  const auto* value = table_->get(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* table = value->as_table()) return TomlTable(*table, title, *error_);
  report_type(key, *value, "a table");
  return std::nullopt;
}

std::vector<TomlTable> TomlTable::tables(std::string_view key, const std::string& title) const {
  std::vector<TomlTable> tables;
  const auto* value = table_->get(key);
  if (value == nullptr) return tables;
  const auto* list = value->as_array();
  if (list == nullptr) {
    report_type(key, *value, format_text("tables that each begin with {}", title));
    return tables;
  }
  for (const auto& element : *list) {
    if (const auto* table = element.as_table()) {
      tables.emplace_back(*table, title, *error_);
    } else {
      report_type(key, element, "a table");
    }
  }
  return tables;
}

}  // namespace dualgpuopt::memory
