#include "job/launch.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/format.h"

extern char** environ;

namespace dualgpuopt::memory::job {
namespace {

constexpr int kNotFound = 127;
constexpr int kCannotRun = 126;
constexpr std::string_view kJobVariable = "GPUMEM_JOB=";
constexpr std::size_t kRoomForPid = 16;

struct Pipe {
  int reading = -1;
  int writing = -1;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) == 0) return Pipe{ends[0], ends[1]};
  return fail(ErrorCode::Io, format_text("cannot make a pipe: {}", std::strerror(errno)));
}

void close_all(std::initializer_list<int> descriptors) {
  for (const int descriptor : descriptors) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

/// Everything that the child needs, put together before the fork: after it nothing may be allocated.
struct Plan {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // the last one is GPUMEM_JOB, with room for the number
  std::vector<char*> argument_pointers;
  std::vector<char*> environment_pointers;
};

Plan make_plan(const std::vector<std::string>& command, std::optional<JobPriority> priority) {
  Plan plan;
  plan.arguments = command;
  std::vector<std::string> entries;
  if (priority) entries.push_back(std::string("GPUMEM_PRIORITY=") + to_string(*priority));
  entries.push_back(std::string(kJobVariable) + std::string(kRoomForPid, '\0'));
  plan.environment = environment_with(entries);
  plan.argument_pointers = pointers_to(plan.arguments);
  plan.environment_pointers = pointers_to(plan.environment);
  return plan;
}

/// The rest is async-signal-safe, as a fork may happen in a process with threads.
[[noreturn]] void become_command(Plan& plan, pid_t parent, int gate, int answer, const JobSignals& signals) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(kCannotRun);  // it died before the kernel was told
  const pid_t self = ::getpid();
  char* number = plan.environment.back().data() + kJobVariable.size();
  *std::to_chars(number, number + kRoomForPid - 1, self).ptr = '\0';
  ::setpgid(0, 0);
  char go = 0;
  ssize_t got = -1;
  do got = ::read(gate, &go, 1);
  while (got < 0 && errno == EINTR);
  if (got != 1) ::_exit(0);
  signals.restore_in_child();
  ::execvpe(plan.argument_pointers.front(), plan.argument_pointers.data(), plan.environment_pointers.data());
  const int error = errno;
  const auto told = ::write(answer, &error, sizeof(error));
  ::_exit(told == sizeof(error) ? kNotFound : kCannotRun);
}

bool is_entry_of(const char* entry, const std::string& other) {
  const auto name = other.substr(0, other.find('=') + 1);
  return std::strncmp(entry, name.c_str(), name.size()) == 0;
}

}  // namespace

std::vector<std::string> environment_with(const std::vector<std::string>& entries) {
  std::vector<std::string> all;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const bool is_replaced = std::any_of(entries.begin(), entries.end(),
                                         [&](const std::string& other) { return is_entry_of(*entry, other); });
    if (!is_replaced) all.emplace_back(*entry);
  }
  all.insert(all.end(), entries.begin(), entries.end());
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

int exit_code_of_failed_exec(int error) { return error == ENOENT || error == ENOTDIR ? kNotFound : kCannotRun; }

Result<Launch> Launch::prepare(const std::vector<std::string>& command, std::optional<JobPriority> priority,
                               const JobSignals& signals) {
  auto gate = make_pipe();
  if (!gate) return fail(gate.error());
  auto answer = make_pipe();
  if (!answer) {
    close_all({gate->reading, gate->writing});
    return fail(answer.error());
  }
  auto plan = make_plan(command, priority);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(gate->writing);
    become_command(plan, parent, gate->reading, answer->writing, signals);
  }
  const int problem = errno;
  close_all({gate->reading, answer->writing});
  if (child > 0) {
    ::setpgid(child, child);  // the child does it, too: whoever comes first
    Launch launch(child, gate->writing, answer->reading);
    if (auto set = set_priority(child, priority.value_or(JobPriority::Normal)); !set)
      return fail(std::move(set.error()));
    return launch;
  }
  close_all({gate->writing, answer->reading});
  return fail(ErrorCode::Io, format_text("cannot start a process: {}", std::strerror(problem)));
}

Launch::Launch(Launch&& other) noexcept
    : job_(other.job_), gate_(std::exchange(other.gate_, -1)), answer_(std::exchange(other.answer_, -1)) {}

Launch::~Launch() { close_all({gate_, answer_}); }

int Launch::let_go(const Terminal& terminal) {
  if (terminal.is_for_job_at_once()) terminal.give_to(job_);
  const char go = 1;
  if (::write(gate_, &go, 1) != 1) return 0;  // it is gone: how, its end tells
  ::close(std::exchange(gate_, -1));
  int error = 0;
  ssize_t got = -1;
  do got = ::read(answer_, &error, sizeof(error));
  while (got < 0 && errno == EINTR);
  return got == sizeof(error) ? error : 0;
}

}  // namespace dualgpuopt::memory::job
