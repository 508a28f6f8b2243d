// One process, held so that a signal reaches it and never another that was given its PID.
#pragma once

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/processes/process_table.h"

namespace dualgpuopt::memory {

/// A pidfd (pidfd_open(2), Linux 5.3). Move-only; closed in the end. Thread-safe once it is made.
class ProcessHandle {
 public:
  /// Opens the process with that PID, and then makes sure that it is the one that was measured: its start time is read
  /// by `table`, and it has still not exited after that, so what was read was it and not its successor. Errors:
  /// NotFound when it has exited or its PID is another's now, PermissionDenied, Unsupported (an older kernel), Io.
  [[nodiscard]] static Result<ProcessHandle> open(const ProcessIdentity& identity, const ProcessTable& table = {});

  ProcessHandle(ProcessHandle&& other) noexcept;
  ProcessHandle& operator=(ProcessHandle&&) = delete;
  ~ProcessHandle();

  [[nodiscard]] const ProcessIdentity& identity() const { return identity_; }
  /// To this process alone. Errors: NotFound when it has exited, a zombie included; PermissionDenied; Io.
  [[nodiscard]] Result<void> signal(int number) const;
  /// Waits for its end, by its whole thread group, at most this long; true if it has exited. A zombie has.
  [[nodiscard]] bool wait_for_exit(Duration limit) const;
  [[nodiscard]] bool has_exited() const { return wait_for_exit(Duration::zero()); }

 private:
  ProcessHandle(const ProcessIdentity& identity, int descriptor) : identity_(identity), descriptor_(descriptor) {}

  ProcessIdentity identity_;
  int descriptor_;
};

}  // namespace dualgpuopt::memory
