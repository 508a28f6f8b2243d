#include "dualgpuopt/memory/monitor/monitor_config.h"

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr Duration kShortestInterval = std::chrono::milliseconds(1);

Result<void> validate_polling(const PollingConfig& polling) {
  if (polling.shortest < kShortestInterval) {
    return fail(ErrorCode::InvalidArgument,
                format_text("polling.shortest is {}; it must be at least {}", format_duration(polling.shortest),
                            format_duration(kShortestInterval)));
  }
  if (polling.shortest > polling.usual || polling.usual > polling.longest) {
    return fail(ErrorCode::InvalidArgument,
                format_text("polling intervals must not descend: shortest {}, usual {}, longest {}",
                            format_duration(polling.shortest), format_duration(polling.usual),
                            format_duration(polling.longest)));
  }
  if (polling.processes < polling.shortest) {
    return fail(ErrorCode::InvalidArgument, format_text("polling.processes is {}; it must be at least polling.shortest",
                                                        format_duration(polling.processes)));
  }
  if (polling.rescan < std::chrono::seconds(1)) {
    return fail(ErrorCode::InvalidArgument,
                format_text("polling.rescan is {}; it must be at least 1 s", format_duration(polling.rescan)));
  }
  return {};
}

Result<void> validate_terminate(const TerminatePolicy& terminate, const LadderConfig& ladder) {
  if (auto valid = terminate.validate(); !valid || !terminate.enabled) return valid;
  if (ladder.verification == Verification::Callback) {
    return fail(ErrorCode::InvalidArgument,
                "terminate.enabled needs ladder.verification = \"measured\": nobody is ended on a callback's word");
  }
  const auto limit = ladder.limits_of(RecoveryStrategy::Terminate).time_limit;
  if (!limit || *limit >= terminate.longest_victim()) return {};
  return fail(ErrorCode::InvalidArgument,
              format_text("ladder.terminate.time_limit is {}; one victim may take {} by terminate.grace, wait and "
                          "pre_hook_limit",
                          format_duration(*limit), format_duration(terminate.longest_victim())));
}

}  // namespace

std::string_view to_string(DispatchOrder order) {
  return order == DispatchOrder::Independent ? "independent" : "recovery_first";
}

PollingConfig PollingConfig::with_fixed_interval(Duration interval) const {
  return {interval, interval, interval, std::max(interval, processes), rescan};
}

Result<void> MonitorConfig::validate() const {
  if (auto valid = validate_polling(polling); !valid) return valid;
  if (auto valid = thresholds.validate(); !valid) return valid;
  if (auto valid = ladder.validate(); !valid) return valid;
  if (auto valid = validate_terminate(terminate, ladder); !valid) return valid;
  if (horizon <= Duration::zero()) return fail(ErrorCode::InvalidArgument, "horizon must be more than 0 s");
  if (capacity && *capacity == 0) return fail(ErrorCode::InvalidArgument, "capacity must be more than 0 B");
  return {};
}

LadderConfig MonitorConfig::complete_ladder() const {
  auto complete = ladder;
  if (!terminate.enabled) return complete;
  auto& limit = complete.limits[RecoveryStrategy::Terminate].time_limit;
  if (!limit) limit = 2 * terminate.longest_victim();
  return complete;
}

}  // namespace dualgpuopt::memory
