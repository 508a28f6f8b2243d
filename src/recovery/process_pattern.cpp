#include "dualgpuopt/memory/recovery/process_pattern.h"

#include <fmt/ranges.h>

#include <array>

#include "core/format.h"
#include "metrics/parse_enum.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::size_t kLongestName = 15;  // TASK_COMM_LEN without its end

bool is_cut_short(std::string_view glob, std::string_view name) {
  return name.size() == kLongestName && glob.find_first_of("*?") == std::string_view::npos && glob.starts_with(name);
}

std::string_view last_part(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string command_line(const ProcessInfo& process) { return format_text("{}", fmt::join(process.arguments, " ")); }

}  // namespace

std::string_view to_string(PatternField field) {
  switch (field) {
    case PatternField::User: return "user";
    case PatternField::Command: return "command";
    case PatternField::Cgroup: return "cgroup";
  }
  return "unknown";
}

std::string ProcessPattern::text() const { return format_text("{}:{}", to_string(field), glob); }

Result<ProcessPattern> parse_process_pattern(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) {
    return fail(ErrorCode::ParseFailed,
                format_text("cannot read {} as a pattern; expected user:, command: or cgroup: and what it must match, "
                            "as in \"command:*train.py*\"",
                            in_quotes(text)));
  }
  const auto field = parse_enum(text.substr(0, colon), "what a pattern is about",
                                std::array{PatternField::User, PatternField::Command, PatternField::Cgroup});
  if (!field) return fail(field.error());
  return ProcessPattern{*field, std::string(text.substr(colon + 1))};
}

bool glob_matches(std::string_view glob, std::string_view text) {
  std::size_t at = 0;
  std::size_t in_text = 0;
  std::size_t star = std::string_view::npos;  // the last one seen, and where its text ends so far
  std::size_t star_end = 0;
  while (in_text < text.size()) {
    if (at < glob.size() && glob[at] == '*') {
      star = at++;
      star_end = in_text;
    } else if (at < glob.size() && (glob[at] == '?' || glob[at] == text[in_text])) {
      ++at;
      ++in_text;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in_text = ++star_end;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', at) == std::string_view::npos;
}

bool command_matches(std::string_view glob, const ProcessInfo& process) {
  if (glob_matches(glob, process.name) || is_cut_short(glob, process.name)) return true;
  if (process.arguments.empty()) return false;
  return glob_matches(glob, last_part(process.arguments.front())) || glob_matches(glob, command_line(process));
}

bool matches(const ProcessPattern& pattern, const ProcessInfo& process, std::string_view user) {
  switch (pattern.field) {
    case PatternField::User: return glob_matches(pattern.glob, user) || pattern.glob == std::to_string(process.owner);
    case PatternField::Command: return command_matches(pattern.glob, process);
    case PatternField::Cgroup: return glob_matches(pattern.glob, process.cgroup);
  }
  return false;
}

}  // namespace dualgpuopt::memory
