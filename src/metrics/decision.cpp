#include "dualgpuopt/memory/metrics/decision.h"

#include "metrics/parse_enum.h"

namespace dualgpuopt::memory {

std::string_view to_string(RecoveryStrategy strategy) {
  switch (strategy) {
    case RecoveryStrategy::ClearCache: return "clear_cache";
    case RecoveryStrategy::ReduceBatch: return "reduce_batch";
    case RecoveryStrategy::Offload: return "offload";
    case RecoveryStrategy::Terminate: return "terminate";
  }
  return "unknown";
}

Result<RecoveryStrategy> parse_recovery_strategy(std::string_view text) {
  return parse_enum(text, "a recovery strategy",
                    std::array{RecoveryStrategy::ClearCache, RecoveryStrategy::ReduceBatch, RecoveryStrategy::Offload,
                               RecoveryStrategy::Terminate});
}

std::string_view to_string(ActionMode mode) {
  switch (mode) {
    case ActionMode::DryRun: return "dry_run";
    case ActionMode::Execute: return "execute";
  }
  return "unknown";
}

std::string_view to_string(ClimbCause cause) {
  switch (cause) {
    case ClimbCause::Level: return "level";
    case ClimbCause::Forecast: return "forecast";
    case ClimbCause::Request: return "request";
  }
  return "unknown";
}

std::string_view to_string(RungOutcome outcome) {
  switch (outcome) {
    case RungOutcome::WouldRun: return "would_run";
    case RungOutcome::Skipped: return "skipped";
    case RungOutcome::Freed: return "freed";
    case RungOutcome::FreedNothing: return "freed_nothing";
    case RungOutcome::Failed: return "failed";
    case RungOutcome::TimedOut: return "timed_out";
    case RungOutcome::Unverified: return "unverified";
  }
  return "unknown";
}

bool was_tried(RungOutcome outcome) { return outcome != RungOutcome::WouldRun && outcome != RungOutcome::Skipped; }

std::string_view to_string(DecisionEnd end) {
  switch (end) {
    case DecisionEnd::TargetReached: return "target_reached";
    case DecisionEnd::NothingToDo: return "nothing_to_do";
    case DecisionEnd::LadderExhausted: return "ladder_exhausted";
    case DecisionEnd::NoRungs: return "no_rungs";
    case DecisionEnd::DryRun: return "dry_run";
    case DecisionEnd::MeasurementLost: return "measurement_lost";
    case DecisionEnd::Stopped: return "stopped";
  }
  return "unknown";
}

}  // namespace dualgpuopt::memory
