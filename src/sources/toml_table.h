// Reading typed fields from TOML tables with errors that name the place; private to the library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/core/units.h"
#include "sources/toml_library.h"

namespace dualgpuopt::memory {

/// `ParseFailed` that begins with "line 3, column 7: ".
[[nodiscard]] Error toml_error(const toml::source_region& place, std::string message);

/// The document of a TOML text; ParseFailed with the place if it is none.
[[nodiscard]] Result<toml::table> parse_toml(std::string_view text);

/// A table being read. What is wrong goes to the FirstError that all tables of a document share, and reading goes on
/// with "not there": readers need no branch after each field, only one look at the end. Borrows table and error.
class TomlTable {
 public:
  using FirstError = std::optional<Error>;

  /// `title` is what messages call the table, as in "[[gpu]]".
  TomlTable(const toml::table& table, std::string title, FirstError& error)
      : table_(&table), title_(std::move(title)), error_(&error) {}

  /// Every other key is an error.
  void allow_only(const std::vector<std::string_view>& keys) const;
  /// A key that is not there is an error, which says what belongs there.
  void require(std::string_view key, std::string_view expected) const;
  /// Reports that the value of `key` makes no sense, at its place or else at the table's.
  void refuse(std::string_view key, std::string_view why) const;

  // Each is empty when the key is not there, or when its value is wrong, which is reported.
  /// Not empty.
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  /// true or false.
  [[nodiscard]] std::optional<bool> flag(std::string_view key) const;
  [[nodiscard]] std::optional<std::int64_t> whole_number(std::string_view key, std::int64_t least,
                                                         std::int64_t most) const;
  /// Finite.
  [[nodiscard]] std::optional<double> number(std::string_view key) const;
  /// Text as parse_bytes takes it, or a whole number of bytes, which is taken as it is.
  [[nodiscard]] std::optional<Bytes> bytes(std::string_view key) const;
  /// The same, with "-" in front if need be.
  [[nodiscard]] std::optional<SignedBytes> signed_bytes(std::string_view key) const;
  /// Text as parse_duration takes it, or a number of seconds.
  [[nodiscard]] std::optional<Duration> duration(std::string_view key) const;
  /// Text as parse_percent takes it, or a number from 0 to 100.
  [[nodiscard]] std::optional<double> percent(std::string_view key) const;
  /// A list of texts, none of them empty.
  [[nodiscard]] std::optional<std::vector<std::string>> texts(std::string_view key) const;
  /// The table `[key]`; messages call it `title`.
  [[nodiscard]] std::optional<TomlTable> table(std::string_view key, const std::string& title) const;
  /// The tables of `[[key]]`; messages call each of them `title`.
  [[nodiscard]] std::vector<TomlTable> tables(std::string_view key, const std::string& title) const;

 private:
  void report(const toml::source_region& place, std::string message) const;
  void report_type(std::string_view key, const toml::node& value, std::string_view expected) const;
  template <typename T>
  [[nodiscard]] std::optional<T> quantity(std::string_view key, std::string_view expected,
                                          Result<T> (*parse)(std::string_view)) const;

  const toml::table* table_;
  std::string title_;
  FirstError* error_;
};

}  // namespace dualgpuopt::memory
