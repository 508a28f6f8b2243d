// A pattern over a process, as configurations name processes: "user:alice", "command:*train.py*".
#pragma once

#include <string>
#include <string_view>

#include "dualgpuopt/memory/processes/process_table.h"

namespace dualgpuopt::memory {

enum class PatternField { User, Command, Cgroup };
[[nodiscard]] std::string_view to_string(PatternField field);

/// `glob` has `*` for any text and `?` for one byte, and must match the whole: of User the login name or the number; of
/// Command the name, the last part of the program's path, or the whole command line; of Cgroup the path.
struct ProcessPattern {
  PatternField field = PatternField::Command;
  std::string glob;

  /// As it is written.
  [[nodiscard]] std::string text() const;

  friend bool operator==(const ProcessPattern&, const ProcessPattern&) = default;
};

/// Reads "FIELD:GLOB". ParseFailed names the text and the fields.
[[nodiscard]] Result<ProcessPattern> parse_process_pattern(std::string_view text);

/// Byte by byte, whatever the locale; `*` also matches "/".
[[nodiscard]] bool glob_matches(std::string_view glob, std::string_view text);

/// Whether a glob is about the process's command, in any of the ways in which Command is. The kernel cuts names after
/// 15 bytes: a glob without wildcards whose beginning is a name of that length matches it.
[[nodiscard]] bool command_matches(std::string_view glob, const ProcessInfo& process);

/// `user`: the owner's login name.
[[nodiscard]] bool matches(const ProcessPattern& pattern, const ProcessInfo& process, std::string_view user);

}  // namespace dualgpuopt::memory
