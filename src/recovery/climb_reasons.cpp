#include "recovery/climb_reasons.h"

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

std::string after(std::optional<RecoveryStrategy> last) {
  return last ? format_text("after {}", to_string(*last)) : "before the first rung";
}

}  // namespace

std::string join_rungs(const std::vector<RecoveryStrategy>& rungs) {
  std::string joined;
  for (const auto rung : rungs) {
    if (!joined.empty()) joined += ", ";
    joined += to_string(rung);
  }
  return joined;
}

std::vector<RecoveryStrategy> tried_rungs(const std::vector<RungRecord>& records) {
  std::vector<RecoveryStrategy> tried;
  for (const auto& record : records) {
    if (was_tried(record.outcome)) tried.push_back(record.strategy);
  }
  return tried;
}

std::string target_reached_reason(Bytes first_used, Bytes used, Bytes target, RecoveryStrategy last) {
  return format_text("use fell from {} to {}, {} the target of {}, after {}", format_bytes(first_used),
                     format_bytes(used), used == target ? "at" : "under", format_bytes(target), to_string(last));
}

std::string callback_succeeded_reason(RecoveryStrategy strategy) {
  return format_text("{} succeeded by its callback's word; nothing was measured", to_string(strategy));
}

std::string rests_reason(unsigned failures, Duration rest) {
  return format_text("not run: it freed nothing {} times in a row, and rests for {} more", failures,
                     format_duration(rest));
}

std::string nothing_to_do_reason(Bytes first_used, Bytes used, Bytes target) {
  if (first_used > used && first_used > target) {
    return format_text("use fell from {} to {} by itself, {} the target of {}", format_bytes(first_used),
                       format_bytes(used), used == target ? "at" : "under", format_bytes(target));
  }
  return format_text("use is {}, already {} the target of {}", format_bytes(used), used == target ? "at" : "under",
                     format_bytes(target));
}

std::string exhausted_reason(Bytes used, Bytes target, const std::vector<RecoveryStrategy>& tried) {
  return format_text("use is {}, {} above the target of {}, {}", format_bytes(used), format_bytes(used - target),
                     format_bytes(target), tried.empty() ? "and no rung may run" : "after " + join_rungs(tried));
}

std::string no_callback_succeeded_reason(const std::vector<RecoveryStrategy>& tried) {
  return format_text("no callback succeeded: tried {}", join_rungs(tried));
}

std::string no_rungs_reason(const std::vector<RecoveryStrategy>& configured) {
  if (configured.empty()) return "the ladder has no rungs";
  return format_text("no strategy is registered for {}", join_rungs(configured));
}

std::string dry_run_reason(Provenance provenance, const std::vector<RecoveryStrategy>& would_try) {
  return format_text("dry run: {}; would try {}",
                     provenance == Provenance::Driver ? "the ladder is set to it"
                                                      : format_text("readings are {}", to_string(provenance)),
                     would_try.empty() ? "nothing" : join_rungs(would_try));
}

std::string measurement_lost_reason(int gpu, std::optional<RecoveryStrategy> last, std::string_view why) {
  return format_text("GPU {} could not be measured {}: {}", gpu, after(last), why);
}

std::string stopped_reason(std::optional<RecoveryStrategy> last) {
  return format_text("the monitor stopped {}", after(last));
}

std::string stopped_while_running_reason(RecoveryStrategy strategy) {
  return format_text("the monitor stopped while {} ran", to_string(strategy));
}

}  // namespace dualgpuopt::memory
