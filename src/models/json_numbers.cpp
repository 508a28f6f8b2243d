#include "models/json_numbers.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr double kMost = 1e12;
constexpr int kDeepest = 64;
constexpr std::uint64_t kLargestFile = 16U << 20;

/// Brackets that are open at once, not counting those within strings.
bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool is_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && is_string) ++i;
    if (c == '"') is_string = !is_string;
    if (is_string) continue;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kDeepest) return true;
  }
  return false;
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
  return first_of(keys);
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

std::uint64_t JsonNumbers::whole(const char* key, const nlohmann::json& value) {
  const double number = value.is_number() ? value.get<double>() : -1;
  if (number >= 0 && number <= kMost && number == std::floor(number)) return static_cast<std::uint64_t>(number);
  const auto shown = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, 40);
  refuse(key, format_text("is {}: expected a whole number that is not negative", shown));
  return 0;
}

void JsonNumbers::refuse(const char* key, const std::string& why) {
  if (error_.empty()) error_ = format_text("the key \"{}\" {}", key, why);
}

nlohmann::json parse_json(std::string_view text) {
  if (is_too_deep(text)) return nlohmann::json(nlohmann::json::value_t::discarded);
  return nlohmann::json::parse(text, nullptr, false);
}

std::string text_at(const nlohmann::json& object, const char* key) {
  return object.contains(key) && object.at(key).is_string() ? object.at(key).get<std::string>() : "";
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
