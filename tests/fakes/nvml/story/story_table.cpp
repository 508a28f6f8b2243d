#include "fakes/nvml/story/story_table.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/format.h"

namespace nvml_fake {

using dualgpuopt::memory::format_text;

std::optional<bool> StoryTable::truth(std::string_view key) const {
  const auto* value = raw_->get(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* truth = value->as_boolean()) return truth->get();
  refuse(key, "expected true or false");
  return std::nullopt;
}

std::optional<double> StoryTable::fraction(std::string_view key) const {
  const auto* value = raw_->get(key);
  if (value == nullptr) return std::nullopt;
  const auto number = value->value<double>();
  if (number && *number >= 0 && *number <= 1) return number;
  refuse(key, "expected a number from 0 to 1");
  return std::nullopt;
}

std::optional<std::size_t> StoryTable::word(std::string_view key, std::span<const std::string_view> words) const {
  const auto text = TomlTable::text(key);
  if (!text) return std::nullopt;
  const auto found = std::find(words.begin(), words.end(), *text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  refuse(key,
         format_text("found {}, expected one of {}", dualgpuopt::memory::in_quotes(*text), fmt::join(words, ", ")));
  return std::nullopt;
}

std::optional<unsigned> StoryTable::number(std::string_view key, unsigned least, unsigned most) const {
  const auto number = whole_number(key, least, most);
  if (!number) return std::nullopt;
  return static_cast<unsigned>(*number);
}

std::optional<StoryTable> StoryTable::inner(std::string_view key, const std::string& title) const {
  if (!TomlTable::table(key, title)) return std::nullopt;
  return StoryTable(*raw_->get(key)->as_table(), title, *first_error_);
}

std::vector<StoryTable> StoryTable::list(std::string_view key, const std::string& title) const {
  std::vector<StoryTable> tables;
  if (TomlTable::tables(key, title).empty()) return tables;
  for (const auto& element : *raw_->get(key)->as_array()) {
    if (const auto* table = element.as_table()) tables.emplace_back(*table, title, *first_error_);
  }
  return tables;
}

std::vector<std::string> StoryTable::keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : *raw_) keys.emplace_back(key.str());
  return keys;
}

}  // namespace nvml_fake
