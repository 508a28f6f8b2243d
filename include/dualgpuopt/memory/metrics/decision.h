// A decision: the record of one climb of the recovery ladder, from the evidence to the reason it ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/units.h"
#include "dualgpuopt/memory/metrics/forecast.h"
#include "dualgpuopt/memory/metrics/level.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// What can be done to free memory, in the order in which a ladder tries it by default.
enum class RecoveryStrategy { ClearCache, ReduceBatch, Offload, Terminate };
[[nodiscard]] std::string_view to_string(RecoveryStrategy strategy);
/// Reads "clear_cache" and the like, in any letter case.
[[nodiscard]] Result<RecoveryStrategy> parse_recovery_strategy(std::string_view text);

/// DryRun says what would be done and touches nothing.
enum class ActionMode { DryRun, Execute };
[[nodiscard]] std::string_view to_string(ActionMode mode);

/// How one rung went. Freed and FreedNothing are what a fresh reading showed, whatever the callback claimed; under
/// Verification::Callback they are the callback's word, and `used_after` is empty. Skipped: it may not run now, and
/// `detail` says why. WouldRun: of a dry run.
enum class RungOutcome { WouldRun, Skipped, Freed, FreedNothing, Failed, TimedOut, Unverified };
[[nodiscard]] std::string_view to_string(RungOutcome outcome);
/// Whether the rung was called, or found busy: not WouldRun or Skipped.
[[nodiscard]] bool was_tried(RungOutcome outcome);

/// What started a climb: the measured level, exhaustion foreseen sooner than recovery takes, or somebody who asked for
/// it.
enum class ClimbCause { Level, Forecast, Request };
[[nodiscard]] std::string_view to_string(ClimbCause cause);

/// One thing that a rung could choose, such as a process or a module, and why it did or did not.
struct Candidate {
  std::string what;             ///< "python, PID 4711, of alice".
  std::optional<Bytes> bytes;   ///< That choosing it would give back, as far as it is known.
  std::optional<double> score;  ///< The highest is chosen first; empty for one that may not be chosen.
  bool chosen = false;
  std::string reason;  ///< Of its score, or why it may not be chosen.

  friend bool operator==(const Candidate&, const Candidate&) = default;
};

/// One rung that was tried (or, in a dry run, would have been).
struct RungRecord {
  RecoveryStrategy strategy = RecoveryStrategy::ClearCache;
  RungOutcome outcome = RungOutcome::WouldRun;
  std::string detail;                      ///< The callback's own words, its error, or why it was not measured.
  std::optional<Bytes> used_before;        ///< Occupied bytes by the reading before the rung.
  std::optional<Bytes> used_after;         ///< Occupied bytes by a fresh reading after it.
  Duration took{};                         ///< From the call to the end of the settling.
  std::optional<Bytes> own_before = {};    ///< What this process held on the device by the driver's list before it,
  std::optional<Bytes> own_after = {};     ///< and after it. What it gave up, others may have taken at once.
  std::vector<Candidate> candidates = {};  ///< The best first, where the rung had a choice.

  friend bool operator==(const RungRecord&, const RungRecord&) = default;
};

/// Why a climb ended.
enum class DecisionEnd {
  TargetReached,    ///< A fresh reading showed the target's headroom (or, under Callback, a callback said so).
  NothingToDo,      ///< The reading before the first rung already met the target.
  LadderExhausted,  ///< Every rung was tried; the target was not reached.
  NoRungs,          ///< No strategy of the ladder is registered.
  DryRun,           ///< Nothing may be done: dry run, or the readings are simulated or replayed.
  MeasurementLost,  ///< The device could not be read any more; nothing acts on stale data.
  Stopped,          ///< The monitor was stopped during the climb.
};
[[nodiscard]] std::string_view to_string(DecisionEnd end);

/// The record of one climb.
struct Decision {
  std::uint64_t id = 0;  ///< Counts from 1 in each monitor.
  int gpu = 0;
  TimeStamp started;
  Duration took{};
  Provenance provenance = Provenance::Driver;
  ActionMode mode = ActionMode::DryRun;

  ClimbCause cause = ClimbCause::Level;
  Level level = Level::Normal;       ///< Evidence: the level at the start of the climb,
  Reading evidence;                  ///< the reading behind it,
  std::optional<Forecast> forecast;  ///< and the forecast of that moment.

  Bytes target_used = 0;  ///< Occupied bytes at or under which the climb ends.
  std::vector<RungRecord> rungs;
  DecisionEnd end = DecisionEnd::DryRun;
  std::string reason;  ///< One sentence.

  /// Bytes freed between the first reading and the last, by the driver's count; negative if use grew meanwhile.
  /// Empty if nothing was measured after a rung.
  std::optional<SignedBytes> freed;
};

}  // namespace dualgpuopt::memory
