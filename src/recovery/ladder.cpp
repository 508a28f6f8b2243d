#include "dualgpuopt/memory/recovery/ladder.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

// Far from the limit of 292 years, so that a time plus a duration never overflows.
constexpr Duration kLongest = std::chrono::hours(24) * 366 * 100;

std::optional<RecoveryStrategy> first_repeated(const std::vector<RecoveryStrategy>& rungs) {
  std::set<RecoveryStrategy> seen;
  const auto repeated = std::find_if(rungs.begin(), rungs.end(), [&](auto rung) { return !seen.insert(rung).second; });
  return repeated == rungs.end() ? std::nullopt : std::optional(*repeated);
}

Result<void> check_duration(std::string_view field, Duration duration) {
  if (duration < Duration::zero()) return fail(ErrorCode::InvalidArgument, format_text("{} is negative", field));
  if (duration > kLongest) {
    return fail(ErrorCode::InvalidArgument, format_text("{} is longer than a hundred years", field));
  }
  return {};
}

Result<void> check_rung(std::string_view rung, const RungLimits& limits) {
  const auto field = [&](std::string_view name) { return format_text("{}.{}", rung, name); };
  if (limits.time_limit == Duration::zero()) {
    return fail(ErrorCode::InvalidArgument,
                format_text("{} is 0: no callback could return in time", field("time_limit")));
  }
  return check_duration(field("time_limit"), limits.time_limit.value_or(Duration::zero()))
      .and_then([&] { return check_duration(field("settle"), limits.settle.value_or(Duration::zero())); })
      .and_then([&] { return check_duration(field("rest"), limits.rest); });
}

Result<void> check_limits(const LadderConfig& config) {
  for (const auto& [rung, limits] : config.limits) {
    if (auto valid = check_rung(to_string(rung), limits); !valid) return valid;
  }
  return {};
}

}  // namespace

std::string_view to_string(Verification verification) {
  return verification == Verification::Measured ? "measured" : "callback";
}

Result<void> LadderConfig::validate() const {
  if (const auto repeated = first_repeated(rungs)) {
    return fail(ErrorCode::InvalidArgument, format_text("rungs has {} twice", to_string(*repeated)));
  }
  if (!(target_percent > 0 && target_percent < 100)) {
    return fail(ErrorCode::InvalidArgument,
                format_text("target_percent is {}: expected more than 0 and less than 100", target_percent));
  }
  if (!(terminate_above_percent > 0 && terminate_above_percent <= 100)) {
    return fail(ErrorCode::InvalidArgument, format_text("terminate_above_percent is {}: expected more than 0 and at "
                                                        "most 100",
                                                        terminate_above_percent));
  }
  if (rung_time_limit == Duration::zero()) {
    return fail(ErrorCode::InvalidArgument, "rung_time_limit is 0: no callback could return in time");
  }
  return check_duration("settle", settle)
      .and_then([&] { return check_duration("cooldown", cooldown); })
      .and_then([&] { return check_duration("rung_time_limit", rung_time_limit); })
      .and_then([&] { return check_duration("forecast_margin", forecast_margin); })
      .and_then([&] { return check_limits(*this); });
}

RungLimits LadderConfig::limits_of(RecoveryStrategy rung) const {
  const auto found = limits.find(rung);
  return found == limits.end() ? RungLimits{} : found->second;
}

Duration LadderConfig::time_limit_of(RecoveryStrategy rung) const {
  return limits_of(rung).time_limit.value_or(rung_time_limit);
}

Duration LadderConfig::settle_of(RecoveryStrategy rung) const { return limits_of(rung).settle.value_or(settle); }

ActionMode LadderConfig::mode_for(Provenance provenance) const {
  return provenance == Provenance::Driver ? mode : ActionMode::DryRun;
}

}  // namespace dualgpuopt::memory
