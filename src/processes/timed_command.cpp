#include "dualgpuopt/memory/processes/timed_command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <system_error>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

/// How often it is looked whether the command has ended.
constexpr Duration kLook = std::chrono::milliseconds(2);

/// Whether two entries, "NAME=value", have one name.
bool same_name(std::string_view left, std::string_view right) {
  return left.substr(0, left.find('=')) == right.substr(0, right.find('='));
}

/// Our environment with the additions, which take the place of what has their names.
std::vector<char*> with_additions(const std::vector<std::string>& additions) {
  std::vector<char*> all;
  for (const auto& addition : additions) all.push_back(const_cast<char*>(addition.c_str()));
  for (char** each = environ; *each != nullptr; ++each) {
    const auto is_replaced = [&](const std::string& addition) { return same_name(addition, *each); };
    if (std::none_of(additions.begin(), additions.end(), is_replaced)) all.push_back(*each);
  }
  all.push_back(nullptr);
  return all;
}

/// Starts it; errno's value otherwise. posix_spawn, because other threads of ours may hold any lock now.
tl::expected<pid_t, int> start(const std::string& command, const std::vector<std::string>& environment) {
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  const char* arguments[] = {"sh", "-c", command.c_str(), nullptr};
  pid_t pid = 0;
  const int problem = ::posix_spawn(&pid, "/bin/sh", &files, &attributes, const_cast<char**>(arguments),
                                    with_additions(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  if (problem != 0) return tl::unexpected(problem);
  return pid;
}

/// Whether our child has ended within the time. It stays a zombie, so its number and its group's are nobody else's;
/// unless the program reaps all of its children itself, where nothing is known of it any more.
bool ended_in_time(pid_t child, Duration limit, const std::stop_token& stop) {
  const auto has_ended = [&] {
    siginfo_t info{};
    const int waited = ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT);
    return waited == 0 ? info.si_pid == child : errno == ECHILD;
  };
  SystemClock clock;
  const auto deadline = clock.now() + limit;
  while (!has_ended()) {
    if (clock.now() >= deadline || !clock.sleep_until(clock.now() + kLook, stop)) return false;
  }
  return true;
}

CommandOutcome reap(pid_t child) {
  int status = 0;
  auto reaped = ::waitpid(child, &status, 0);
  while (reaped < 0 && errno == EINTR) reaped = ::waitpid(child, &status, 0);
  if (reaped != child) return {CommandEnd::Unknown, 0};
  if (WIFSIGNALED(status)) return {CommandEnd::Signalled, WTERMSIG(status)};
  return {CommandEnd::Exited, WEXITSTATUS(status)};
}

}  // namespace

std::string CommandOutcome::text() const {
  switch (end) {
    case CommandEnd::Exited: return format_text("exited with {}", code);
    case CommandEnd::Signalled: return format_text("was ended by signal {}", code);
    case CommandEnd::TimedOut: return "was ended when its time was up";
    case CommandEnd::Unknown: return "ended, and the program took its exit code elsewhere";
  }
  return {};
}

Result<CommandOutcome> run_command(const std::string& command, const std::vector<std::string>& environment,
                                   Duration limit, const std::stop_token& stop) {
  const auto child = start(command, environment);
  if (!child) {
    return fail(ErrorCode::Io,
                format_text("cannot run {}: {}", in_quotes(command), std::generic_category().message(child.error())));
  }
  if (ended_in_time(*child, limit, stop)) return reap(*child);
  ::kill(-*child, SIGKILL);
  reap(*child);
  return CommandOutcome{CommandEnd::TimedOut, 0};
}

}  // namespace dualgpuopt::memory
