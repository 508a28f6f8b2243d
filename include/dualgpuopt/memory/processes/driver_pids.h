// Who is behind the process numbers that a driver reports: they are the host's, whatever namespace we run in.
#pragma once

#include <optional>
#include <string>

#include "dualgpuopt/memory/processes/process_table.h"

namespace dualgpuopt::memory {

/// What is known of a process that a driver lists. With no `state` nothing is known: the process is in a PID namespace
/// that cannot be looked into from here, or the kernel hides other users' processes. It must not be signalled then, as
/// its number may be another process's here.
struct DriverProcess {
  pid_t pid = 0;                             ///< In our own namespace if it could be mapped, else the driver's number.
  std::optional<ProcessState> state;         ///< Dead: a number that the driver still lists and nobody has any more.
  std::optional<std::uint64_t> start_ticks;  ///< With a state other than Dead.
  std::string name;                          ///< Likewise.
};

/// Maps a driver's process numbers. In the machine's first PID namespace (also that of a container with
/// `--pid=host`) they are ours. In another one they can be mapped only with a view of the host's own /proc: by the list
/// of a process's numbers that the host shows, and then by comparing start time and name with our process of the last
/// of these numbers. Thread-safe.
class DriverPids {
 public:
  /// `root` holds our own `proc`, and `root/host/proc` the host's, if that was mounted there.
  explicit DriverPids(const std::filesystem::path& root = "/");

  /// Costs one file of /proc, in a mapped namespace five.
  [[nodiscard]] DriverProcess find(pid_t driver_pid) const;

  /// Whether the driver's numbers are our own.
  [[nodiscard]] bool are_ours() const { return in_first_namespace_; }
  /// Whether a process of our own namespace is found by the driver's number; else every process is unseen.
  [[nodiscard]] bool can_be_mapped() const { return in_first_namespace_ || host_.has_value(); }

 private:
  [[nodiscard]] DriverProcess find_here(pid_t pid) const;
  [[nodiscard]] DriverProcess find_through_host(pid_t driver_pid) const;

  ProcessTable own_;
  std::optional<ProcessTable> host_;
  bool in_first_namespace_;
  bool hides_processes_;
};

}  // namespace dualgpuopt::memory
