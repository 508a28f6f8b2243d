// TomlTable, with what scenarios of the stand-in need besides.
#pragma once

#include <span>

#include "sources/toml_table.h"

namespace nvml_fake {

using dualgpuopt::memory::Duration;

/// Reads the fields of a table; what is wrong goes to the first error of the document, as TomlTable does it.
class StoryTable : public dualgpuopt::memory::TomlTable {
 public:
  StoryTable(const toml::table& table, const std::string& title, FirstError& error)
      : TomlTable(table, title, error), raw_(&table), first_error_(&error) {}

  [[nodiscard]] bool has(std::string_view key) const { return raw_->contains(key); }
  [[nodiscard]] bool is_text(std::string_view key) const { return has(key) && raw_->get(key)->is_string(); }
  [[nodiscard]] std::optional<bool> truth(std::string_view key) const;
  /// A number from 0 to 1.
  [[nodiscard]] std::optional<double> fraction(std::string_view key) const;
  /// One of the words; its place among them.
  [[nodiscard]] std::optional<std::size_t> word(std::string_view key, std::span<const std::string_view> words) const;
  /// A whole number from 0 on that fits into 32 bits.
  [[nodiscard]] std::optional<unsigned> number(std::string_view key, unsigned least = 0, unsigned most = ~0U) const;
  [[nodiscard]] std::optional<StoryTable> inner(std::string_view key, const std::string& title) const;
  [[nodiscard]] std::vector<StoryTable> list(std::string_view key, const std::string& title) const;
  /// The names of the keys, in the library's order.
  [[nodiscard]] std::vector<std::string> keys() const;

 private:
  const toml::table* raw_;
  FirstError* first_error_;
};

}  // namespace nvml_fake
