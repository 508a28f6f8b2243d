// One climb of the ladder as a state machine: it says what to do next and is told how it went.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dualgpuopt/memory/recovery/rung_budget.h"
#include "dualgpuopt/memory/recovery/strategy.h"

namespace dualgpuopt::memory {

/// A rung has freed memory when the occupied bytes fell by more than this. Drivers hand memory out in pages of 2 MiB,
/// and one or two of them come and go with anybody's work.
inline constexpr Bytes kFreedNoiseFloor = Bytes{4} << 20;

/// So many more settlings at the pace of the last one, and a falling use is at the target: soon enough to wait for it.
inline constexpr Bytes kPatience = 4;

/// Why a climb starts.
struct ClimbEvidence {
  int gpu = 0;
  Level level = Level::Critical;
  Reading reading;  ///< Readable (ok()), with a known total; otherwise the climb ends at once as MeasurementLost.
  std::optional<Forecast> forecast;
  ClimbCause cause = ClimbCause::Level;   ///< Forecast: `forecast` has a time to OOM.
  Duration recovery_time{};               ///< How long a climb takes (RungTimes); for a forecast's target.
  std::optional<Bytes> used_before = {};  ///< Occupied by the reading before, which tells whether use is falling.
  /// The newest list of the device's processes, and the one that the strategies belong to: what that one holds counts
  /// too when a rung is judged. 0: it is not known.
  std::shared_ptr<const ProcessList> processes = {};
  pid_t self = 0;
};

/// Measure the device now, with that detail, and call on_measured().
struct MeasureDevice {
  ReadDetail detail = ReadDetail::Memory;
};
/// Call the strategy with this request, whose `stop` is for the caller to fill in, and call on_answered().
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

/// How a call of a strategy ended, as the one who ran it saw it. Busy: it was not called, because an earlier call has
/// not returned. Stopped: the monitor stopped while it ran.
enum class AnswerStatus { Answered, Threw, TimedOut, Busy, Stopped };
struct StrategyOutcome {
  AnswerStatus status = AnswerStatus::Answered;
  StrategyAnswer answer;  ///< `detail` holds the exception's text when it threw.
};

/// Pure: no threads, no sleeps, no clock reads. An event that next() did not ask for changes nothing.
///
/// Order of a climb with measured verification: measure (use may have fallen already), then for each registered rung:
/// run, settle, measure, stop if the target is reached. A rung that failed or timed out is measured too: it may have
/// freed something before. A busy one is recorded (as TimedOut) and passed over. A measurement that fails, or that is
/// not the driver's, ends the climb. With verification by callback nothing is measured and nothing settles.
///
/// A rung has freed memory when the device's occupied bytes fell by more than the noise floor, or those that this
/// process holds did: others may have taken at once what it gave up.
///
/// Hand-over: before the first rung, and before Terminate, a use that falls by itself fast enough to be at the target
/// within kPatience more settlings is watched instead, for as long as it goes on so.
///
/// Simulated and replayed evidence, and ActionMode::DryRun, give one dry-run decision that lists the configured rungs.
/// A rung that rests, that RungLimits keep from such a climb, or, for Terminate, that
/// LadderConfig::terminate_above_percent forbids or a forecast asks for, is not run: it is recorded as Skipped (in a
/// dry run as WouldRun), and its detail begins with "not run" and says why.
class Climb {
 public:
  /// `resting`: rungs that may not be tried now.
  Climb(const LadderConfig& config, const std::set<RecoveryStrategy>& registered, ClimbEvidence evidence,
        TimeStamp started, std::uint64_t id, RestingRungs resting = {});

  /// What to do next; asking again gives the same answer.
  [[nodiscard]] ClimbAction next() const;

  void on_measured(const Reading& reading, MonoTime now);
  void on_answered(const StrategyOutcome& outcome, MonoTime now);
  void on_settled(MonoTime now);
  /// The monitor stops before the action of next() was begun: the decision ends as Stopped, with what was done so far.
  /// While a strategy runs, on_answered() with AnswerStatus::Stopped says it instead.
  void on_stopped(MonoTime now);

 private:
  /// Watch: like Settle, but nothing was done; use falls by itself.
  enum class Step { Measure, Run, Settle, Watch, Finished };

  void begin(const std::set<RecoveryStrategy>& registered);
  void enter_rung(MonoTime now);
  void run_rung(RecoveryStrategy rung, MonoTime now);
  void skip_rung(RecoveryStrategy rung, std::string obstacle);
  void end_of_ladder(MonoTime now);
  void take_in(const Reading& reading);
  [[nodiscard]] bool may_be_handed_over() const;
  void finish_at_target(Bytes used, MonoTime now);
  void verify_rung(Bytes used);
  void take_word(const StrategyOutcome& outcome, MonoTime now);
  void lose_measurement(std::string_view why, MonoTime now);
  void leave_unverified(std::string_view why);
  void finish_as_dry_run(const std::set<RecoveryStrategy>& registered);
  void finish(DecisionEnd end, std::string reason, MonoTime now);
  [[nodiscard]] RecoveryRequest request() const;
  [[nodiscard]] std::string obstacle_to(RecoveryStrategy strategy) const;
  [[nodiscard]] std::string obstacle_to_terminate() const;

  LadderConfig config_;
  RestingRungs resting_;
  std::vector<RecoveryStrategy> rungs_;  // the registered ones
  std::size_t position_ = 0;             // in rungs_: the rung that runs, else the next one
  Step step_ = Step::Measure;
  MonoTime rung_started_;
  MonoTime until_;                          // the rung's deadline, or the end of its settling
  std::optional<AnswerStatus> unverified_;  // how the last rung ended, while it waits for its measurement
  std::optional<Bytes> first_used_;         // by the first measurement
  Bytes fallen_ = 0;                        // by how much use fell with the newest measurement
  pid_t self_;
  std::optional<Bytes> own_;  // what this process holds by the newest list
  Reading newest_;            // the last good one; at first the evidence
  Decision decision_;
};

}  // namespace dualgpuopt::memory
