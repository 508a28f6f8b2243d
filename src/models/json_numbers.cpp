#include "models/json_numbers.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr double kMost = 1e12;
constexpr std::uint64_t kMostLayers = 4096;
constexpr int kDeepest = 64;
constexpr std::uint64_t kLargestFile = 16U << 20;

/// Where brackets are nested too deeply, not counting those within strings.
std::optional<std::size_t> too_deep_at(std::string_view text) {
  int depth = 0;
  bool is_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && is_string) ++i;
    if (c == '"') is_string = !is_string;
    if (is_string) continue;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kDeepest) return i;
  }
  return std::nullopt;
}

std::string place_of(std::string_view text, std::size_t at) {
  const auto before = text.substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto last = before.rfind('\n');
  const auto column = last == std::string_view::npos ? at + 1 : at - last;
  return format_text("line {}, column {}", line, column);
}

/// What was wrong and what was expected, of the parser's own words: "… - invalid literal; last read: '…'; expected …".
std::string reason_of(std::string words) {
  if (const auto dash = words.find(" - "); dash != std::string::npos) words.erase(0, dash + 3);
  const auto expected = words.rfind("; expected ");
  const auto reason = words.substr(0, words.find(';'));
  return expected == std::string::npos ? reason : reason + words.substr(expected);
}

}  // namespace

std::uint64_t JsonNumbers::count(const char* key, std::uint64_t otherwise) {
  if (!has(key)) return otherwise;
  const auto& value = object_.at(key);
  return value.is_array() && !value.empty() ? whole(key, value.front()) : whole(key, value);
}

std::uint64_t JsonNumbers::required(std::initializer_list<const char*> keys) {
  if (std::none_of(keys.begin(), keys.end(), [&](const auto* key) { return has(key); })) {
    refuse(*keys.begin(), "is missing");
  }
  const auto count = first_of(keys);
  if (count == 0) refuse(*keys.begin(), "is 0: expected at least 1");
  return count;
}

std::uint64_t JsonNumbers::first_of(std::initializer_list<const char*> keys, std::uint64_t otherwise) {
  for (const auto* key : keys) {
    if (has(key)) return count(key);
  }
  return otherwise;
}

std::uint64_t JsonNumbers::at_layer(const char* key, std::uint64_t layer, std::uint64_t otherwise) {
  if (!has(key) || !object_.at(key).is_array()) return count(key, otherwise);
  const auto& list = object_.at(key);
  if (layer < list.size()) return whole(key, list.at(layer));
  refuse(key, format_text("has {} numbers, and there are more layers", list.size()));
  return otherwise;
}

std::uint64_t JsonNumbers::layers(std::initializer_list<const char*> keys) {
  const auto count = required(keys);
  if (count >= 1 && count <= kMostLayers) return count;
  refuse(*keys.begin(), format_text("is {}: expected 1 to {} layers", count, kMostLayers));
  return 0;
}

std::set<std::uint64_t> JsonNumbers::members(const char* key) const {
  std::set<std::uint64_t> members;
  if (!has(key) || !object_.at(key).is_array()) return members;
  for (const auto& value : object_.at(key)) {
    if (value.is_number_integer() && value >= 0) members.insert(value.get<std::uint64_t>());
  }
  return members;
}

std::uint64_t JsonNumbers::whole(const char* key, const nlohmann::json& value) {
  const double number = value.is_number() ? value.get<double>() : -1;
  if (number >= 0 && number <= kMost && number == std::floor(number)) return static_cast<std::uint64_t>(number);
  if (!error_.empty()) return 0;
  const auto shown = value.is_structured()
                         ? std::string(value.type_name())
                         : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, 40);
  refuse(key, format_text("is {}: expected a whole number that is not negative", shown));
  return 0;
}

void JsonNumbers::refuse(const char* key, const std::string& why) {
  if (error_.empty()) error_ = format_text("the key \"{}\" {}", key, why);
}

Result<nlohmann::json> parse_json_object(std::string_view text) {
  if (const auto at = too_deep_at(text)) {
    return fail(ErrorCode::ParseFailed,
                format_text("{}: nested more than {} levels deep", place_of(text, *at), kDeepest));
  }
  try {
    auto value = nlohmann::json::parse(text);
    if (value.is_object()) return value;
    return fail(ErrorCode::ParseFailed, format_text("this is not a JSON object but of type {}", value.type_name()));
  } catch (const nlohmann::json::parse_error& error) {
    const auto at = error.byte > 0 ? error.byte - 1 : 0;
    return fail(ErrorCode::ParseFailed,
                format_text("this is not JSON: {}: {}", place_of(text, at), reason_of(error.what())));
  } catch (const nlohmann::json::out_of_range&) {
    return fail(ErrorCode::ParseFailed, "this JSON has a number that is too large");
  }
}

std::string text_at(const nlohmann::json& object, const char* key) {
  return object.contains(key) && object.at(key).is_string() ? object.at(key).get<std::string>() : "";
}

std::string text_at(const nlohmann::json& object, const char* key, std::size_t place) {
  if (!object.contains(key) || !object.at(key).is_array() || place >= object.at(key).size()) return "";
  const auto& value = object.at(key).at(place);
  return value.is_string() ? value.get<std::string>() : "";
}

bool is_set(const nlohmann::json& object, const char* key) {
  return object.contains(key) && object.at(key) == nlohmann::json(true);
}

Result<std::string> read_json_file(const std::filesystem::path& file) {
  std::error_code code;
  if (!std::filesystem::exists(file, code)) return fail(ErrorCode::NotFound, "there is no such file");
  std::ifstream stream(file, std::ios::binary);
  std::string text(kLargestFile + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad() || !stream.eof())
    return fail(ErrorCode::Io, "it cannot be read, or is larger than the 16 MiB that are read");
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

}  // namespace dualgpuopt::memory
