// One climb of the ladder as a state machine: it says what to do next and is told how it went.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "dualgpuopt/memory/recovery/ladder.h"
#include "dualgpuopt/memory/recovery/strategy.h"

namespace dualgpuopt::memory {

/// Why a climb starts.
struct ClimbEvidence {
  int gpu = 0;
  Level level = Level::Critical;
  Reading reading;  ///< Readable (ok()), with a known total.
  std::optional<Forecast> forecast;
};

/// Measure the device now and call on_measured().
struct MeasureDevice {};
/// Call the strategy with this request and call on_answered().
struct RunStrategy {
  RecoveryRequest request;
};
/// Let time pass until then, and call on_settled().
struct SettleUntil {
  MonoTime time;
};
/// The climb is over.
struct ClimbFinished {
  Decision decision;
};
using ClimbAction = std::variant<MeasureDevice, RunStrategy, SettleUntil, ClimbFinished>;

/// How a call of a strategy ended, as the one who ran it saw it.
enum class AnswerStatus { Answered, Threw, TimedOut, Busy };
struct StrategyOutcome {
  AnswerStatus status = AnswerStatus::Answered;
  StrategyAnswer answer;  ///< `detail` holds the exception's text when it threw.
};

/// Pure: no threads, no sleeps, no clock reads. Order of a climb with measured verification: measure (usage may have
/// fallen already), then for each registered rung: run, settle, measure, stop if the target is reached. Simulated and
/// replayed evidence, and ActionMode::DryRun, give one dry-run decision that lists the rungs.
class Climb {
 public:
  Climb(const LadderConfig& config, const std::set<RecoveryStrategy>& registered, ClimbEvidence evidence,
        TimeStamp started, std::uint64_t id);

  /// What to do next; asking again gives the same answer.
  [[nodiscard]] ClimbAction next() const;

  void on_measured(const Reading& reading, MonoTime now);
  void on_answered(const StrategyOutcome& outcome, MonoTime now);
  void on_settled(MonoTime now);
  /// The monitor stops: the decision ends as Stopped, with what was done so far.
  void on_stopped(MonoTime now);

 private:
  // (helper: the state the rules above need)
};

}  // namespace dualgpuopt::memory
