// The end of one victim as a state machine: it says what to do next and is told how it went.
#pragma once

#include <csignal>
#include <optional>
#include <string>
#include <variant>

#include "dualgpuopt/memory/recovery/terminate_policy.h"
#include "dualgpuopt/memory/recovery/victim_ranking.h"

namespace dualgpuopt::memory {

/// Open the victim's processes by pidfd and compare their start times; then on_opened().
struct OpenVictim {};
/// Read the device with its processes afresh; then on_listed().
struct ListDevice {};
/// Apply all rules to the victim again, by this reading, and see the device open in it; then on_inspected().
struct InspectVictim {
  Reading reading;
};
/// Run the pre-hook; then on_hook_ended().
struct RunPreHook {};
/// By pidfd, to those that were opened; then on_signalled().
struct SendSignal {
  int number = SIGTERM;
};
/// Wait until all of them have exited, at most until then; then on_waited().
struct AwaitExit {
  MonoTime until;
};
/// Let time pass until then, read the device with its processes; then on_measured().
struct AwaitMemory {
  MonoTime at;
};

/// Refused: nobody was signalled. Unverified: somebody was, or ended, and the memory did not come back in time: nothing
/// more may be ended on the device before an operator has looked.
enum class TerminationEnd { Freed, WentByItself, NotNeeded, Refused, Unverified };
[[nodiscard]] std::string_view to_string(TerminationEnd end);

struct TerminationRecord {
  TerminationEnd end = TerminationEnd::Refused;
  std::string detail;  ///< One sentence with whom, what and why.
  bool term_sent = false;
  bool kill_sent = false;
  std::optional<Duration> exit_after;    ///< From the first signal, or from when it was seen to be gone.
  std::optional<Duration> memory_after;  ///< Likewise, until the driver had given the memory back.
  Reading before;                        ///< The last reading before it was signalled.
  Reading after;                         ///< The newest one.
};

struct TerminationFinished {
  TerminationRecord record;
};
using TerminationAction = std::variant<OpenVictim, ListDevice, InspectVictim, RunPreHook, SendSignal, AwaitExit,
                                       AwaitMemory, TerminationFinished>;

/// How opening or signalling went. Done: at least one of the victim's processes. Gone: all of them have exited.
enum class VictimReach { Done, Gone, Failed };

/// Pure: no threads, no sleeps, no clock reads. An event that next() did not ask for changes nothing.
///
/// Order: open the pidfds and compare start times; read the driver's list again; apply the rules again and see the
/// device open; the pre-hook, and after it list and rules once more; TERM; the grace; KILL; then wait for the exit and
/// for the memory. Nobody is signalled whose opening, listing or inspection failed. A victim that ends by itself at any
/// moment is not signalled, and its memory is waited for just the same. What a victim forks while it ends is no part of
/// it: it is not signalled here. One that ignores TERM gets KILL. One that KILL does not end is Unverified.
class Termination {
 public:
  /// `victim` as ranked by `reading`; `target_used`: at or under it nobody need be ended.
  Termination(const TerminatePolicy& policy, RankedVictim victim, Reading reading, Bytes target_used);

  /// What to do next; asking again gives the same answer.
  [[nodiscard]] TerminationAction next() const;

  void on_opened(VictimReach reach, std::string_view problem, MonoTime now);
  void on_listed(const Reading& reading, MonoTime now);
  void on_inspected(std::string_view obstacle, MonoTime now);
  /// Instead of the two above: whoever of it holds memory has exited.
  void on_gone(MonoTime now);
  void on_hook_ended(std::string_view how, MonoTime now);
  void on_signalled(VictimReach reach, std::string_view problem, MonoTime now);
  void on_waited(bool exited, MonoTime now);
  void on_measured(const Reading& reading, MonoTime now);
  /// Whoever drives this may not go on: before the first signal it ends as Refused, after it as Unverified.
  void on_stopped(MonoTime now);

 private:
  enum class Step { Open, List, Inspect, Hook, Term, Grace, Kill, Dying, Memory, Finished };

  void refuse(std::string_view why);
  void await_memory(MonoTime now);
  void leave_unverified(std::string_view why);
  void finish(TerminationEnd end, std::string detail);
  [[nodiscard]] std::string how_it_ended() const;

  TerminatePolicy policy_;
  RankedVictim victim_;
  Bytes target_used_;
  Bytes held_;
  Step step_ = Step::Open;
  bool hook_ended_ = false;
  bool was_there_ = false;  // a signal has reached it
  std::string hook_;        // how the hook ended
  MonoTime since_;          // the first signal, or when it was seen to be gone
  MonoTime until_;          // of the waiting that is under way
  MonoTime next_look_;      // for the memory
  TerminationRecord record_;
};

}  // namespace dualgpuopt::memory
