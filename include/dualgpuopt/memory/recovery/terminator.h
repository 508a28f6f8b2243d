// Ends processes on a device until it has the memory that is asked for: the shell around rank_victims() and
// Termination.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/metrics/memory_port.h"
#include "dualgpuopt/memory/recovery/process_port.h"
#include "dualgpuopt/memory/recovery/strategy.h"
#include "dualgpuopt/memory/recovery/termination.h"

namespace dualgpuopt::memory {

/// What is wanted of a Terminator.
struct TerminateOrder {
  int gpu = 0;
  Provenance provenance = Provenance::Driver;  ///< Of what gave rise to it; other than a driver's, it is a dry run.
  Bytes target_used = 0;                       ///< Occupied bytes at or under which nobody more is ended.
  MonoTime deadline = MonoTime::max();         ///< A victim that might take longer is not begun with.
  std::stop_token stop = {};
};

/// Enough: a fresh reading is at the target. NoVictim: nobody is left who may be ended. Locked: an earlier victim's
/// memory never came back. OutOfTime: stopped, or the deadline is too near.
enum class TerminateEnd { Enough, NoVictim, DryRun, Unverified, Locked, MeasurementLost, OutOfTime };

/// One victim that was begun with.
struct VictimAccount {
  std::vector<Candidate> candidates;  ///< The ranking that chose it.
  TerminationRecord record;
  Duration took{};
};

struct TerminateReport {
  TerminateEnd end = TerminateEnd::NoVictim;
  std::string reason;                  ///< One sentence; of a dry run, what would be done.
  std::vector<Candidate> candidates;   ///< The newest ranking; `chosen` are those that were, or would be, signalled.
  std::vector<VictimAccount> victims;  ///< In their order.
  Reading newest;                      ///< Unavailable if nothing was measured.
};

/// Thread-safe; one order at a time, others wait. Each victim is ranked by fresh readings, ended by a Termination, and
/// followed by a measurement; whoever was begun with is not begun with again within an order. An Unverified end locks
/// the device. Never signals by readings that are not a driver's, and never in ActionMode::DryRun.
class Terminator {
 public:
  /// `policy` must be valid; whether it is enabled is the caller's to ask.
  Terminator(TerminatePolicy policy, std::shared_ptr<MemoryPort> memory, std::shared_ptr<ProcessPort> processes,
             std::shared_ptr<Clock> clock);

  [[nodiscard]] TerminateReport run(const TerminateOrder& order);

  /// Why nothing more is ended on a device; empty where that is not so.
  [[nodiscard]] std::string lock_reason(int gpu) const;
  /// An operator has looked: the device may be relieved again.
  void unlock(int gpu);

  [[nodiscard]] const TerminatePolicy& policy() const { return policy_; }

 private:
  struct Survey {
    Reading reading;
    std::vector<RankedVictim> ranked;
  };

  void end_victims(const TerminateOrder& order, TerminateReport& report);
  void plan(const TerminateOrder& order, TerminateReport& report);
  [[nodiscard]] Survey look(const TerminateOrder& order);
  [[nodiscard]] bool may_go_on(const TerminateOrder& order, const Survey& survey, TerminateReport& report) const;
  [[nodiscard]] VictimAccount end_one(const TerminateOrder& order, const Survey& survey);
  void lock(int gpu, std::string reason);

  const TerminatePolicy policy_;
  const std::shared_ptr<MemoryPort> memory_;
  const std::shared_ptr<ProcessPort> processes_;
  const std::shared_ptr<Clock> clock_;
  Mutex order_;  // held while one is carried out
  mutable Mutex mutex_;
  std::map<int, std::string> locked_ DUALGPUOPT_GUARDED_BY(mutex_);
};

/// The rung's callback: its order is the request.
[[nodiscard]] RecoveryCallback terminate_strategy(std::shared_ptr<Terminator> terminator);

}  // namespace dualgpuopt::memory
