#include "dualgpuopt/memory/recovery/terminate_policy.h"

#include <algorithm>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

/// For readings, and for looking at processes.
constexpr Duration kOverhead = std::chrono::seconds(2);

Result<void> check(std::string_view name, Duration value, Duration longest) {
  if (value >= Duration::zero() && value <= longest) return {};
  return fail(ErrorCode::InvalidArgument, format_text("terminate.{} is {}; expected at most {}", name,
                                                      format_duration(value), format_duration(longest)));
}

bool looks_twice(const VictimPolicy& victims) {
  return std::count(victims.order.begin(), victims.order.end(), VictimOrder::FastestGrowing) > 0;
}

}  // namespace

Duration TerminatePolicy::longest_victim() const {
  const auto looks = looks_twice(victims) ? growth_window : Duration::zero();
  const auto hook = pre_hook.empty() ? Duration::zero() : pre_hook_limit;
  return looks + hook + grace + 2 * wait + kOverhead;
}

Result<void> TerminatePolicy::validate() const {
  if (auto valid = victims.validate(); !valid) return valid;
  return check("grace", grace, kLongestGrace)
      .and_then([&] { return check("wait", wait, kLongestWait); })
      .and_then([&] { return check("pre_hook_limit", pre_hook_limit, kLongestGrace); })
      .and_then([&] { return check("growth_window", growth_window, kLongestGrace); });
}

}  // namespace dualgpuopt::memory
