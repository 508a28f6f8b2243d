// Whole numbers out of a JSON object, by name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {

/// The first number that is wrong is what is reported; it counts as 0. Borrows the object.
class JsonNumbers {
 public:
  explicit JsonNumbers(const nlohmann::json& object) : object_(object) {}

  [[nodiscard]] bool has(const char* key) const { return object_.contains(key) && !object_.at(key).is_null(); }
  /// Of a list its first number.
  [[nodiscard]] std::uint64_t count(const char* key, std::uint64_t otherwise = 0);
  [[nodiscard]] std::uint64_t required(const char* key) { return required({key}); }
  /// Of the first of the keys that is there, at least 1; without any the first is reported as missing.
  [[nodiscard]] std::uint64_t required(std::initializer_list<const char*> keys);
  /// Likewise, where it may be missing.
  [[nodiscard]] std::uint64_t first_of(std::initializer_list<const char*> keys, std::uint64_t otherwise = 0);
  /// The whole numbers of the list under a key; empty where there is no list.
  [[nodiscard]] std::set<std::uint64_t> members(const char* key) const;
  /// One number for all layers, or a list with one for each.
  [[nodiscard]] std::uint64_t at_layer(const char* key, std::uint64_t layer, std::uint64_t otherwise = 0);

  /// So many layers at least one, and no more than any model has: each takes room.
  [[nodiscard]] std::uint64_t layers(std::initializer_list<const char*> keys);

  /// "the key \"n_embd\" is missing"; empty while nothing is wrong.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  [[nodiscard]] std::uint64_t whole(const char* key, const nlohmann::json& value);
  void refuse(const char* key, const std::string& why);

  const nlohmann::json& object_;
  std::string error_;
};

/// The object that a JSON text is. Error: ParseFailed with line and column, also for a text nested deeper than any
/// description of a model: a hostile text must not take a hundred times its size in memory.
[[nodiscard]] Result<nlohmann::json> parse_json_object(std::string_view text);

/// The text under a key; empty where there is none.
[[nodiscard]] std::string text_at(const nlohmann::json& object, const char* key);

/// The text at a place of the list under a key; empty where there is none.
[[nodiscard]] std::string text_at(const nlohmann::json& object, const char* key, std::size_t place);
/// Whether the value under a key is true.
[[nodiscard]] bool is_set(const nlohmann::json& object, const char* key);

/// The bytes of a file of at most 16 MiB. Errors: NotFound, Io; they do not name the file.
[[nodiscard]] Result<std::string> read_json_file(const std::filesystem::path& file);

}  // namespace dualgpuopt::memory
