// Carries out what a Termination asks for, with the ports and the clock of a Terminator.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dualgpuopt/memory/recovery/terminator.h"

namespace dualgpuopt::memory {

/// Whether a process is in both.
[[nodiscard]] bool overlap(const std::vector<ProcessIdentity>& left, const std::vector<ProcessIdentity>& right);

/// For one victim; borrows everything. terminator_test.cpp and wrong_victims.cpp show it at work.
class VictimDriver {
 public:
  VictimDriver(const TerminatePolicy& policy, MemoryPort& memory, ProcessPort& processes, Clock& clock)
      : policy_(policy), memory_(memory), processes_(processes), clock_(clock) {}

  /// From the first step to the last; `reading` is that by which the victim was ranked.
  [[nodiscard]] TerminationRecord drive(const TerminateOrder& order, const RankedVictim& victim,
                                        const Reading& reading);

 private:
  /// One of the victim's processes that could be opened.
  struct Hold {
    ProcessIdentity identity;
    std::unique_ptr<HeldProcess> process;
  };
  using Held = std::vector<Hold>;

  void open(const RankedVictim& victim, Held& held, Termination& termination);
  void signal(int number, const Held& held, Termination& termination);
  [[nodiscard]] static bool are_gone(const RankedVictim& victim, const Held& held);
  void list(const TerminateOrder& order, const RankedVictim& victim, const Held& held, Termination& termination);
  [[nodiscard]] std::string inspect(const RankedVictim& victim, const Reading& reading, const Held& held);
  [[nodiscard]] std::string run_hook(const TerminateOrder& order, const RankedVictim& victim);
  void wait_for_exit(MonoTime until, const Held& held, const std::stop_token& stop, Termination& termination);
  void wait_for_memory(MonoTime at, const TerminateOrder& order, Termination& termination);

  const TerminatePolicy& policy_;
  MemoryPort& memory_;
  ProcessPort& processes_;
  Clock& clock_;
};

}  // namespace dualgpuopt::memory
