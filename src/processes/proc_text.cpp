#include "processes/proc_text.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/format.h"

namespace dualgpuopt::memory::proc {
namespace {

constexpr std::size_t kFirstFieldAfterName = 3;  // as proc_pid_stat(5) counts
constexpr std::size_t kParentField = 4;
constexpr std::size_t kGroupField = 5;
constexpr std::size_t kFlagsField = 9;
constexpr std::size_t kNiceField = 19;
constexpr std::size_t kStartTimeField = 22;
constexpr unsigned kKernelThread = 0x00200000;   // PF_KTHREAD
constexpr std::size_t kEffectiveUserColumn = 1;  // after the real one

tl::unexpected<Error> refuse(std::string place_and_problem) {
  return fail(ErrorCode::ParseFailed, std::move(place_and_problem));
}

template <typename Number>
std::optional<Number> to_number(std::string_view text) {
  Number number{};
  const auto* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc{} || stop != end) return std::nullopt;
  return number;
}

/// The pieces between separators; nothing between two separators is an empty piece.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const auto end = text.find(separator);
    pieces.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

std::string_view without_last_line_feed(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

/// The fields of `stat` after the command name, by their numbers.
class StatFields {
 public:
  explicit StatFields(std::string_view text) : fields_(split(text, ' ')) {}

  [[nodiscard]] std::string_view text(std::size_t field) const {
    const auto index = field - kFirstFieldAfterName;
    return index < fields_.size() ? fields_[index] : std::string_view();
  }

  template <typename Number>
  [[nodiscard]] Result<Number> number(std::size_t field, std::string_view name) const {
    if (const auto value = to_number<Number>(text(field))) return *value;
    return refuse(format_text("field {} ({}) is missing or no number", field, name));
  }

 private:
  std::vector<std::string_view> fields_;
};

Result<ProcessState> parse_state(std::string_view text) {
  if (text.size() != 1 || !((text[0] >= 'A' && text[0] <= 'Z') || (text[0] >= 'a' && text[0] <= 'z'))) {
    return refuse("field 3 (state) is missing or no letter");
  }
  if (text == "Z") return ProcessState::Zombie;
  return text == "X" || text == "x" ? ProcessState::Dead : ProcessState::Alive;
}

struct Line {
  std::size_t number = 0;
  std::string_view value;
};

/// The first line that begins with `label`, and what comes after the label.
std::optional<Line> find_line(std::string_view text, std::string_view label) {
  std::size_t number = 0;
  for (const auto line : split(text, '\n')) {
    ++number;
    if (line.starts_with(label)) return Line{number, line.substr(label.size())};
  }
  return std::nullopt;
}

/// The numbers of a status line, "\t0\t1000\t0\t0".
template <typename Number>
std::optional<std::vector<Number>> tabbed_numbers(std::string_view value) {
  std::vector<Number> numbers;
  for (const auto piece : split(value, '\t')) {
    if (piece.empty()) continue;
    const auto number = to_number<Number>(piece);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

/// Capabilities as the kernel prints them, "\t000001ffffffffff"; 0 for what is no such number.
std::uint64_t parse_hexadecimal(std::string_view value) {
  value.remove_prefix(std::min(value.find_first_not_of('\t'), value.size()));
  std::uint64_t number = 0;
  const auto [stop, problem] = std::from_chars(value.data(), value.data() + value.size(), number, 16);
  return problem == std::errc{} ? number : 0;
}

}  // namespace

Result<Stat> parse_stat(std::string_view text) {
  text = without_last_line_feed(text);
  const auto open = text.find(" (");
  const auto close = text.rfind(") ");
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2) {
    return refuse("field 2 (command name) is not in parentheses");
  }
  const auto pid = to_number<pid_t>(text.substr(0, open));
  if (!pid) return refuse("field 1 (PID) is no number");
  const StatFields fields(text.substr(close + 2));
  const auto state = parse_state(fields.text(kFirstFieldAfterName));
  if (!state) return fail(state.error());
  const auto parent = fields.number<pid_t>(kParentField, "parent PID");
  if (!parent) return fail(parent.error());
  const auto group = fields.number<pid_t>(kGroupField, "process group");
  if (!group) return fail(group.error());
  const auto start = fields.number<std::uint64_t>(kStartTimeField, "start time");
  if (!start) return fail(start.error());
  const auto flags = fields.number<unsigned>(kFlagsField, "flags");
  if (!flags) return fail(flags.error());
  const auto nice = fields.number<int>(kNiceField, "nice");
  if (!nice) return fail(nice.error());
  return Stat{*pid,
              std::string(text.substr(open + 2, close - open - 2)),
              *state,
              *parent,
              *group,
              *start,
              (*flags & kKernelThread) != 0,
              *nice};
}

Result<Status> parse_status(std::string_view text) {
  const auto uid_line = find_line(text, "Uid:");
  if (!uid_line) return refuse("there is no line \"Uid:\"");
  const auto uids = tabbed_numbers<uid_t>(uid_line->value);
  if (!uids || uids->size() <= kEffectiveUserColumn) {
    return refuse(format_text("line {} (Uid) does not hold user numbers", uid_line->number));
  }
  Status status{(*uids)[kEffectiveUserColumn], {}, 0};
  if (const auto pid_line = find_line(text, "NSpid:")) {
    auto pids = tabbed_numbers<pid_t>(pid_line->value);
    if (!pids) return refuse(format_text("line {} (NSpid) does not hold PIDs", pid_line->number));
    status.namespaced_pids = std::move(*pids);
  }
  if (const auto line = find_line(text, "CapEff:")) status.effective_capabilities = parse_hexadecimal(line->value);
  return status;
}

Result<int> parse_number(std::string_view text) {
  if (const auto number = to_number<int>(without_last_line_feed(text))) return *number;
  return refuse("it does not hold one number");
}

Result<std::string> parse_cgroup(std::string_view text) {
  const auto line = find_line(text, "0::");
  if (!line) return std::string();
  if (!line->value.starts_with('/')) return refuse(format_text("line {} does not hold a path after 0::", line->number));
  return std::string(line->value);
}

std::vector<std::string> parse_arguments(std::string_view text) {
  if (text.empty()) return {};
  if (text.ends_with('\0')) text.remove_suffix(1);
  std::vector<std::string> arguments;
  for (const auto piece : split(text, '\0')) arguments.emplace_back(piece);
  return arguments;
}

Result<std::uint64_t> parse_namespace_link(std::string_view text) {
  const auto open = text.find(":[");
  const auto inode = open != std::string_view::npos && text.ends_with(']')
                         ? to_number<std::uint64_t>(text.substr(open + 2, text.size() - open - 3))
                         : std::nullopt;
  if (!inode) return refuse("the link does not read TYPE:[INODE]");
  return *inode;
}

}  // namespace dualgpuopt::memory::proc
