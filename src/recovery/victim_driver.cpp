#include "recovery/victim_driver.h"

#include <algorithm>
#include <utility>

#include "core/format.h"
#include "recovery/victim_survey.h"

namespace dualgpuopt::memory {
namespace {

/// Between two looks whether a victim has exited.
constexpr Duration kLookForExit = std::chrono::milliseconds(10);

}  // namespace

bool overlap(const std::vector<ProcessIdentity>& left, const std::vector<ProcessIdentity>& right) {
  return std::any_of(left.begin(), left.end(),
                     [&](const auto& each) { return std::find(right.begin(), right.end(), each) != right.end(); });
}

TerminationRecord VictimDriver::drive(const TerminateOrder& order, const RankedVictim& victim, const Reading& reading) {
  Termination termination(policy_, victim, reading, order.target_used);
  Held held;
  while (true) {
    if (order.stop.stop_requested()) termination.on_stopped(clock_.now());
    const auto action = termination.next();
    if (std::holds_alternative<OpenVictim>(action)) {
      open(victim, held, termination);
    } else if (std::holds_alternative<ListDevice>(action)) {
      list(order, victim, held, termination);
    } else if (const auto* inspection = std::get_if<InspectVictim>(&action)) {
      const auto obstacle = inspect(victim, inspection->reading, held);
      if (are_gone(victim, held)) {
        termination.on_gone(clock_.now());
      } else {
        termination.on_inspected(obstacle, clock_.now());
      }
    } else if (std::holds_alternative<RunPreHook>(action)) {
      const auto how = run_hook(order, victim);
      termination.on_hook_ended(how, clock_.now());
    } else if (const auto* sending = std::get_if<SendSignal>(&action)) {
      signal(sending->number, held, termination);
    } else if (const auto* waiting = std::get_if<AwaitExit>(&action)) {
      wait_for_exit(waiting->until, held, order.stop, termination);
    } else if (const auto* memory = std::get_if<AwaitMemory>(&action)) {
      wait_for_memory(memory->at, order, termination);
    } else {
      return std::get<TerminationFinished>(action).record;
    }
  }
}

/// All or nobody: a member that may not be opened spares the unit; one that has exited is no member any more.
void VictimDriver::open(const RankedVictim& victim, Held& held, Termination& termination) {
  for (const auto& identity : victim.members) {
    auto process = processes_.hold(identity);
    if (process) {
      held.push_back({identity, std::move(*process)});
    } else if (process.error().code() != ErrorCode::NotFound) {
      return termination.on_opened(VictimReach::Failed, process.error().describe(), clock_.now());
    }
  }
  termination.on_opened(held.empty() ? VictimReach::Gone : VictimReach::Done, "", clock_.now());
}

/// Whether nobody lives of those who hold the memory.
bool VictimDriver::are_gone(const RankedVictim& victim, const Held& held) {
  return std::none_of(held.begin(), held.end(), [&](const Hold& each) {
    const auto& holders = victim.holders;
    return std::find(holders.begin(), holders.end(), each.identity) != holders.end() && !each.process->has_exited();
  });
}

/// Whoever has exited is looked for after the measurement: it was listed as long as it lived.
void VictimDriver::list(const TerminateOrder& order, const RankedVictim& victim, const Held& held,
                        Termination& termination) {
  const auto fresh = memory_.measure(order.gpu, ReadDetail::MemoryAndProcesses);
  if (are_gone(victim, held)) return termination.on_gone(clock_.now());
  termination.on_listed(fresh, clock_.now());
}

/// The rules once more, by fresh facts: the same processes must still be a unit that may be ended. Who joined their
/// group since is not held, and so not signalled.
std::string VictimDriver::inspect(const RankedVictim& victim, const Reading& reading, const Held& held) {
  std::vector<ProcessIdentity> alive;
  for (const auto& each : held) {
    if (!each.process->has_exited()) alive.push_back(each.identity);
  }
  if (alive.empty()) return {};
  const auto ranked = rank_victims(survey_victims(reading, policy_.victims, processes_), policy_.victims);
  const auto now = std::find_if(ranked.begin(), ranked.end(),
                                [&](const auto& each) { return overlap(each.holders, victim.holders); });
  if (now == ranked.end()) return "the driver does not list it any more";
  if (!now->may_be_ended()) return now->candidate.reason;
  const auto is_member = [&](const auto& each) {
    return std::find(now->members.begin(), now->members.end(), each) != now->members.end();
  };
  if (!std::all_of(alive.begin(), alive.end(), is_member)) return "its group has changed";
  return {};
}

std::string VictimDriver::run_hook(const TerminateOrder& order, const RankedVictim& victim) {
  const std::vector<std::string> environment{format_text("GPUMEM_GPU={}", order.gpu),
                                             format_text("GPUMEM_PID={}", victim.holders.front().pid),
                                             format_text("GPUMEM_BYTES={}", victim.bytes)};
  const auto outcome = processes_.run_hook(policy_.pre_hook, environment, policy_.pre_hook_limit, order.stop);
  return outcome ? outcome->text() : "failed: " + outcome.error().describe();
}

void VictimDriver::signal(int number, const Held& held, Termination& termination) {
  bool is_delivered = false;
  std::string problem;
  for (const auto& each : held) {
    const auto sent = each.process->signal(number);
    is_delivered = is_delivered || sent.has_value();
    if (!sent && sent.error().code() != ErrorCode::NotFound) problem = sent.error().describe();
  }
  const auto reach = is_delivered ? VictimReach::Done : problem.empty() ? VictimReach::Gone : VictimReach::Failed;
  termination.on_signalled(reach, problem, clock_.now());
}

void VictimDriver::wait_for_exit(MonoTime until, const Held& held, const std::stop_token& stop,
                                 Termination& termination) {
  const auto all_exited = [&] {
    return std::all_of(held.begin(), held.end(), [](const auto& each) { return each.process->has_exited(); });
  };
  while (true) {
    if (all_exited()) return termination.on_waited(true, clock_.now());
    if (clock_.now() >= until) return termination.on_waited(false, clock_.now());
    if (!clock_.sleep_until(std::min(until, clock_.now() + kLookForExit), stop)) {
      return termination.on_stopped(clock_.now());
    }
  }
}

void VictimDriver::wait_for_memory(MonoTime at, const TerminateOrder& order, Termination& termination) {
  if (!clock_.sleep_until(at, order.stop)) return termination.on_stopped(clock_.now());
  const auto reading = memory_.measure(order.gpu, ReadDetail::MemoryAndProcesses);
  termination.on_measured(reading, clock_.now());
}

}  // namespace dualgpuopt::memory
