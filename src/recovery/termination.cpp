#include "dualgpuopt/memory/recovery/termination.h"

#include <utility>

#include "core/format.h"
#include "recovery/fresh_reading.h"
#include "recovery/memory_return.h"

namespace dualgpuopt::memory {
namespace {

/// Between two looks for the memory.
constexpr Duration kLook = std::chrono::milliseconds(100);

}  // namespace

std::string_view to_string(TerminationEnd end) {
  switch (end) {
    case TerminationEnd::Freed: return "freed";
    case TerminationEnd::WentByItself: return "went_by_itself";
    case TerminationEnd::NotNeeded: return "not_needed";
    case TerminationEnd::Refused: return "refused";
    case TerminationEnd::Unverified: return "unverified";
  }
  return "unknown";
}

Termination::Termination(const TerminatePolicy& policy, RankedVictim victim, Reading reading, Bytes target_used)
    : policy_(policy), victim_(std::move(victim)), target_used_(target_used), held_(victim_.bytes) {
  record_.before = reading;
  record_.after = std::move(reading);
}

TerminationAction Termination::next() const {
  switch (step_) {
    case Step::Open: return OpenVictim{};
    case Step::List: return ListDevice{};
    case Step::Inspect: return InspectVictim{record_.before};
    case Step::Hook: return RunPreHook{};
    case Step::Term: return SendSignal{SIGTERM};
    case Step::Kill: return SendSignal{SIGKILL};
    case Step::Grace:
    case Step::Dying: return AwaitExit{until_};
    case Step::Memory: return AwaitMemory{next_look_};
    case Step::Finished: break;
  }
  return TerminationFinished{record_};
}

void Termination::on_opened(VictimReach reach, std::string_view problem, MonoTime now) {
  if (step_ != Step::Open) return;
  if (reach == VictimReach::Gone) return await_memory(now);
  if (reach == VictimReach::Failed) return refuse(problem);
  step_ = Step::List;
}

void Termination::on_listed(const Reading& reading, MonoTime /*now*/) {
  if (step_ != Step::List) return;
  if (const auto problem = unusable_for_ending(reading); !problem.empty()) return refuse(problem);
  record_.before = record_.after = reading;
  if (reading.memory->occupied() <= target_used_) {
    return finish(TerminationEnd::NotNeeded,
                  format_text("{} was spared: the target is reached without it{}", victim_.candidate.what, hook_));
  }
  held_ = held_by(victim_.holders, reading);
  if (held_ == 0) return refuse("the driver does not list it with memory on this device any more");
  step_ = Step::Inspect;
}

void Termination::on_inspected(std::string_view obstacle, MonoTime /*now*/) {
  if (step_ != Step::Inspect) return;
  if (!obstacle.empty()) return refuse(obstacle);
  step_ = policy_.pre_hook.empty() || hook_ended_ ? Step::Term : Step::Hook;
}

void Termination::on_gone(MonoTime now) {
  if (step_ == Step::List || step_ == Step::Inspect) await_memory(now);
}

void Termination::on_hook_ended(std::string_view how, MonoTime /*now*/) {
  if (step_ != Step::Hook) return;
  hook_ended_ = true;
  hook_ = format_text("; the pre-hook {}", how);
  step_ = Step::List;
}

void Termination::on_signalled(VictimReach reach, std::string_view problem, MonoTime now) {
  if (step_ != Step::Term && step_ != Step::Kill) return;
  if (reach == VictimReach::Gone) return await_memory(now);
  if (reach == VictimReach::Failed) return was_there_ ? leave_unverified(problem) : refuse(problem);
  const bool is_term = step_ == Step::Term;
  (is_term ? record_.term_sent : record_.kill_sent) = true;
  if (!std::exchange(was_there_, true)) since_ = now;
  step_ = is_term ? Step::Grace : Step::Dying;
  until_ = now + (is_term ? policy_.grace : policy_.wait);
}

void Termination::on_waited(bool exited, MonoTime now) {
  if (step_ != Step::Grace && step_ != Step::Dying) return;
  if (exited) return await_memory(now);
  if (step_ == Step::Grace) {
    step_ = Step::Kill;
    return;
  }
  leave_unverified(format_text("it has not exited within {} of KILL", format_duration(policy_.wait)));
}

void Termination::await_memory(MonoTime now) {
  if (!was_there_) since_ = now;
  record_.exit_after = now - since_;
  step_ = Step::Memory;
  until_ = now + policy_.wait;
  next_look_ = now;
}

void Termination::on_measured(const Reading& reading, MonoTime now) {
  if (step_ != Step::Memory) return;
  const auto problem = unusable_for_ending(reading);
  if (problem.empty()) {
    record_.after = reading;
    if (has_come_back(held_, victim_.holders, record_.before, reading)) {
      record_.memory_after = now - since_;
      return finish(was_there_ ? TerminationEnd::Freed : TerminationEnd::WentByItself, how_it_ended());
    }
  }
  next_look_ = now + kLook;
  if (next_look_ <= until_) return;
  leave_unverified(
      problem.empty() ? format_text("its memory has not come back within {} of its exit", format_duration(policy_.wait))
                      : format_text("the device could not be measured after its exit: {}", problem));
}

void Termination::on_stopped(MonoTime /*now*/) {
  if (step_ == Step::Finished) return;
  constexpr auto kWhy = "it was stopped or its time was up";
  if (was_there_) return leave_unverified(kWhy);
  refuse(kWhy);
}

std::string Termination::how_it_ended() const {
  if (!was_there_)
    return format_text("{} ended by itself and gave {} back{}", victim_.candidate.what, format_bytes(held_), hook_);
  return format_text("{} was ended by {} and exited after {}; its {} were back after {}{}", victim_.candidate.what,
                     record_.kill_sent ? "TERM and KILL" : "TERM", format_duration(*record_.exit_after),
                     format_bytes(held_), format_duration(*record_.memory_after), hook_);
}

void Termination::refuse(std::string_view why) {
  finish(TerminationEnd::Refused, format_text("{} was not signalled: {}{}", victim_.candidate.what, why, hook_));
}

void Termination::leave_unverified(std::string_view why) {
  finish(TerminationEnd::Unverified,
         format_text("{}: {}; nothing more is ended on this device until an operator allows it{}",
                     victim_.candidate.what, why, hook_));
}

void Termination::finish(TerminationEnd end, std::string detail) {
  record_.end = end;
  record_.detail = std::move(detail);
  step_ = Step::Finished;
}

}  // namespace dualgpuopt::memory
