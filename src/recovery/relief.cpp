#include "dualgpuopt/memory/recovery/relief.h"

#include <utility>

namespace dualgpuopt::memory {
namespace {

std::optional<Bytes> occupied(const Reading& reading) {
  return reading.ok() ? std::optional(reading.memory->occupied()) : std::nullopt;
}

RungOutcome outcome_of(TerminationEnd end) {
  switch (end) {
    case TerminationEnd::Freed:
    case TerminationEnd::WentByItself: return RungOutcome::Freed;
    case TerminationEnd::NotNeeded:
    case TerminationEnd::Refused: return RungOutcome::Skipped;
    case TerminationEnd::Unverified: return RungOutcome::Unverified;
  }
  return RungOutcome::Unverified;
}

RungRecord rung_of(const VictimAccount& victim) {
  const auto& record = victim.record;
  const auto outcome = outcome_of(record.end);
  RungRecord rung{RecoveryStrategy::Terminate, outcome,      record.detail,
                  occupied(record.before),     std::nullopt, victim.took};
  if (outcome != RungOutcome::Skipped) rung.used_after = occupied(record.after);
  rung.candidates = victim.candidates;
  return rung;
}

/// Of one that would be begun with, or of nobody who could be.
RungRecord unrun_rung_of(const TerminateReport& report) {
  const auto outcome = report.end == TerminateEnd::DryRun ? RungOutcome::WouldRun : RungOutcome::Skipped;
  RungRecord rung{RecoveryStrategy::Terminate, outcome, report.reason, occupied(report.newest), std::nullopt, {}};
  rung.candidates = report.candidates;
  return rung;
}

DecisionEnd end_of(const TerminateReport& report) {
  switch (report.end) {
    case TerminateEnd::Enough: return report.victims.empty() ? DecisionEnd::NothingToDo : DecisionEnd::TargetReached;
    case TerminateEnd::DryRun: return DecisionEnd::DryRun;
    case TerminateEnd::MeasurementLost: return DecisionEnd::MeasurementLost;
    case TerminateEnd::OutOfTime: return DecisionEnd::Stopped;
    case TerminateEnd::NoVictim:
    case TerminateEnd::Unverified:
    case TerminateEnd::Locked: return DecisionEnd::LadderExhausted;
  }
  return DecisionEnd::LadderExhausted;
}

}  // namespace

Decision decision_of(const TerminateReport& report, const ReliefRequest& request, ActionMode mode, TimeStamp started,
                     Duration took) {
  Decision decision;
  decision.id = 1;
  decision.gpu = request.gpu;
  decision.started = started;
  decision.took = took;
  decision.provenance = request.evidence.provenance;
  decision.mode = decision.provenance == Provenance::Driver ? mode : ActionMode::DryRun;
  decision.cause = ClimbCause::Request;
  decision.level = request.level;
  decision.evidence = request.evidence;
  decision.target_used = request.target_used;
  for (const auto& victim : report.victims) decision.rungs.push_back(rung_of(victim));
  if (decision.rungs.empty() && report.end != TerminateEnd::Enough) decision.rungs.push_back(unrun_rung_of(report));
  decision.end = end_of(report);
  decision.reason = report.reason;
  const auto before = occupied(request.evidence);
  const auto after = occupied(report.newest);
  if (!report.victims.empty() && before && after) decision.freed = difference(*before, *after);
  return decision;
}

Decision relieve(Terminator& terminator, const ReliefRequest& request, const Clock& clock) {
  const auto started = clock.stamp();
  const auto report =
      terminator.run({request.gpu, request.evidence.provenance, request.target_used, MonoTime::max(), request.stop});
  return decision_of(report, request, terminator.policy().mode, started, clock.now() - started.mono);
}

}  // namespace dualgpuopt::memory
