#include "dualgpuopt/memory/profiles/profile_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "core/format.h"
#include "profiles/replace_file.h"
#include "profiles/utf8.h"
#include "sources/text_file.h"
#include "sources/toml_table.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::string_view kExpectedSize = "a size, as in \"7GiB\"";
constexpr Bytes kLargestSize = (Bytes{1} << 63) - 1;  ///< That TOML has a number for.

// Reading
// ---------------------------------------------------------------------------------------------------------------

Bytes read_size(const TomlTable& table, std::string_view key) {
  table.require(key, kExpectedSize);
  return table.bytes(key).value_or(0);
}

StoredProfile read_profile(const TomlTable& table) {
  table.allow_only({"name", "base", "per_batch", "per_token", "growth_rate", "recovery_buffer"});
  table.require("name", "the profile's name");
  StoredProfile stored;
  stored.profile.name = table.text("name").value_or("");
  stored.profile.base = read_size(table, "base");
  stored.profile.per_batch = read_size(table, "per_batch");
  stored.profile.per_token = read_size(table, "per_token");
  stored.growth_rate = table.number("growth_rate");
  stored.recovery_buffer = table.number("recovery_buffer");
  return stored;
}

std::vector<StoredProfile> read_document(const TomlTable& document, const ProfileFileLimits& limits) {
  document.allow_only({"profile"});
  const auto tables = document.tables("profile", "[[profile]]");
  std::vector<StoredProfile> profiles;
  std::set<std::string> names;
  for (const auto& table : tables) {
    if (profiles.size() == limits.profiles) {
      table.refuse("name", format_text("more than {} profiles are not read", limits.profiles));
      break;
    }
    profiles.push_back(read_profile(table));
    const auto& name = profiles.back().profile.name;
    if (!names.insert(name).second) table.refuse("name", format_text("{} is there twice", in_quotes(name)));
  }
  return profiles;
}

// Writing
// ---------------------------------------------------------------------------------------------------------------

struct Escape {
  char character;
  std::string_view written;
};

/// What a basic string of TOML cannot have as it is, and has a short form for.
constexpr std::array kEscapes{Escape{'"', "\\\""}, Escape{'\\', "\\\\"}, Escape{'\b', "\\b"}, Escape{'\t', "\\t"},
                              Escape{'\n', "\\n"}, Escape{'\f', "\\f"},  Escape{'\r', "\\r"}};

std::string toml_string(std::string_view text) {
  std::string line = "\"";
  for (const char c : text) {
    const auto* escape =
        std::find_if(kEscapes.begin(), kEscapes.end(), [&](const Escape& e) { return e.character == c; });
    if (escape != kEscapes.end()) {
      line += escape->written;
    } else if ((c >= 0 && c < ' ') || c == '\x7f') {
      line += format_text("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      line += c;
    }
  }
  return line + "\"";
}

/// In the largest unit of which it is a whole number.
std::string size_text(Bytes size) {
  if (size == 0) return "0";
  for (const auto& [unit, name] : {std::pair(1_GiB, "GiB"), std::pair(1_MiB, "MiB"), std::pair(1_KiB, "KiB")}) {
    if (size % unit == 0) return format_text("\"{}{}\"", size / unit, name);
  }
  return std::to_string(size);
}

std::string optional_line(std::string_view key, const std::optional<double>& value) {
  return value ? format_text("{} = {}\n", key, *value) : std::string();
}

std::string table_text(const StoredProfile& stored) {
  const auto& profile = stored.profile;
  return format_text("[[profile]]\nname = {}\nbase = {}\nper_batch = {}\nper_token = {}\n", toml_string(profile.name),
                     size_text(profile.base), size_text(profile.per_batch), size_text(profile.per_token)) +
         optional_line("growth_rate", stored.growth_rate) + optional_line("recovery_buffer", stored.recovery_buffer);
}

/// Why a file cannot hold the profile; empty if it can.
std::string obstacle(const StoredProfile& stored) {
  const auto& profile = stored.profile;
  if (profile.name.empty()) return "it has no name";
  if (!is_utf8(profile.name)) return "its name is no UTF-8";
  if (std::max({profile.base, profile.per_batch, profile.per_token}) > kLargestSize) return "a size is 8 EiB or more";
  const bool is_finite =
      std::isfinite(stored.growth_rate.value_or(0)) && std::isfinite(stored.recovery_buffer.value_or(0));
  return is_finite ? "" : "its growth_rate or recovery_buffer is not finite";
}

Result<void> check(const std::vector<StoredProfile>& profiles, const ProfileFileLimits& limits) {
  if (profiles.size() > limits.profiles) {
    return fail(ErrorCode::InvalidArgument,
                format_text("{} profiles are more than {}, the most for a file", profiles.size(), limits.profiles));
  }
  std::set<std::string_view> names;
  for (const auto& stored : profiles) {
    auto problem = obstacle(stored);
    if (problem.empty() && !names.insert(stored.profile.name).second) problem = "another has the same name";
    if (problem.empty()) continue;
    return fail(ErrorCode::InvalidArgument,
                format_text("the profile {} cannot be saved: {}", in_quotes(stored.profile.name), problem));
  }
  return {};
}

}  // namespace

Result<std::vector<StoredProfile>> parse_profiles(std::string_view toml, const ProfileFileLimits& limits) {
  const auto document = parse_toml(toml);
  if (!document) return fail(document.error());
  TomlTable::FirstError error;
  auto profiles = read_document(TomlTable(*document, "the file", error), limits);
  if (error) return fail(*std::move(error));
  return profiles;
}

Result<std::vector<StoredProfile>> load_profiles(const std::filesystem::path& file, const ProfileFileLimits& limits) {
  const auto text = read_text_file(file, limits.bytes);
  auto profiles = text ? parse_profiles(*text, limits) : fail(text.error());
  if (!profiles) return fail(std::move(profiles.error()).with_context(file.string()));
  return profiles;
}

Result<std::string> format_profiles(const std::vector<StoredProfile>& profiles, const ProfileFileLimits& limits) {
  if (auto checked = check(profiles, limits); !checked) return fail(std::move(checked.error()));
  std::string text = "# Memory profiles: usage = base + batch * per_batch + tokens * per_token\n";
  for (const auto& stored : profiles) text += "\n" + table_text(stored);
  if (text.size() > limits.bytes) {
    return fail(ErrorCode::InvalidArgument,
                format_text("the profiles are larger than {}, the most for a file", format_bytes(limits.bytes)));
  }
  return text;
}

Result<void> save_profiles(const std::filesystem::path& file, const std::vector<StoredProfile>& profiles) {
  const auto text = format_profiles(profiles);
  auto saved = text ? replace_file(file, *text) : Result<void>(fail(text.error()));
  if (!saved) return fail(std::move(saved.error()).with_context(file.string()));
  return {};
}

}  // namespace dualgpuopt::memory
