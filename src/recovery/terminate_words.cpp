#include "recovery/terminate_words.h"

#include <algorithm>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

std::string join_chosen(const std::vector<Candidate>& candidates) {
  std::string text;
  for (const auto& each : candidates) {
    if (!each.chosen) continue;
    text += format_text("{}{} ({})", text.empty() ? "" : ", then ", each.what, format_bytes(each.bytes.value_or(0)));
  }
  return text;
}

Bytes sum_of_chosen(const std::vector<Candidate>& candidates) {
  Bytes sum = 0;
  for (const auto& each : candidates) sum += each.chosen ? each.bytes.value_or(0) : 0;
  return sum;
}

std::string how(const TerminatePolicy& policy) {
  return format_text("{}with TERM, and KILL after {}", policy.pre_hook.empty() ? "" : "after the pre-hook ",
                     format_duration(policy.grace));
}

std::string why_dry(Provenance provenance) {
  return provenance == Provenance::Driver ? "dry run" : format_text("dry run: readings are {}", to_string(provenance));
}

}  // namespace

std::string enough_reason(Bytes used, Bytes target) {
  return format_text("use is {}, {} the target of {}", format_bytes(used), used == target ? "at" : "under",
                     format_bytes(target));
}

std::string no_victim_reason(int gpu, Bytes used, Bytes target, std::size_t listed) {
  return format_text("use is {}, {} above the target of {}, and nobody else of {} processes on GPU {} may be ended",
                     format_bytes(used), format_bytes(used - std::min(used, target)), format_bytes(target), listed,
                     gpu);
}

std::string dry_run_reason(const TerminatePolicy& policy, Provenance provenance,
                           const std::vector<Candidate>& candidates, Bytes used, Bytes target) {
  const auto chosen = join_chosen(candidates);
  if (chosen.empty()) return why_dry(provenance) + "; would end nobody: no process may be ended";
  const auto sum = sum_of_chosen(candidates);
  const auto left = used - std::min(used, sum);
  return format_text("{}; would end {}, {}; {} would be left, {} the target of {}", why_dry(provenance), chosen,
                     how(policy), format_bytes(left), left <= target ? "within" : "still above", format_bytes(target));
}

std::string describe(const TerminateReport& report) {
  std::string text;
  for (const auto& victim : report.victims) text += victim.record.detail + "; ";
  return text + report.reason;
}

}  // namespace dualgpuopt::memory
