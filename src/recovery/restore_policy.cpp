#include "dualgpuopt/memory/recovery/restore_policy.h"

#include <algorithm>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr Duration kLongestLongestWait = std::chrono::hours(24);

Result<void> check_percents(const OffloadConfig& config) {
  if (!(config.trigger_percent > 0 && config.trigger_percent <= 100)) {
    return fail(ErrorCode::InvalidArgument,
                format_text("trigger_percent is {}: expected more than 0 and at most 100", config.trigger_percent));
  }
  if (!(config.margin_percent > 0 && config.margin_percent < config.trigger_percent)) {
    return fail(ErrorCode::InvalidArgument,
                format_text("margin_percent is {}: expected more than 0 and less than trigger_percent, which is {}",
                            config.margin_percent, config.trigger_percent));
  }
  if (config.calm_risk >= 0 && config.calm_risk <= 1) return {};
  return fail(ErrorCode::InvalidArgument, format_text("calm_risk is {}: expected 0 to 1", config.calm_risk));
}

Result<void> check_durations(const OffloadConfig& config) {
  const std::pair<std::string_view, Duration> durations[] = {
      {"hold_off", config.hold_off}, {"soon", config.soon}, {"freshness", config.freshness}};
  for (const auto& [name, duration] : durations) {
    if (duration < Duration::zero()) return fail(ErrorCode::InvalidArgument, format_text("{} is negative", name));
  }
  if (config.hold_off == Duration::zero()) return fail(ErrorCode::InvalidArgument, "hold_off is 0: nothing would last");
  if (config.longest_wait > kLongestLongestWait) {
    return fail(ErrorCode::InvalidArgument, "longest_wait is longer than a day");
  }
  if (config.hold_off > config.longest_wait) {
    return fail(ErrorCode::InvalidArgument, "hold_off is longer than longest_wait");
  }
  return {};
}

/// Why a device in this state is not to be touched.
std::string obstacle_of_state(const DeviceState& state, const OffloadConfig& config, MonoTime now) {
  const auto& reading = state.reading;
  if (!reading.ok()) return format_text("the device cannot be read: {}", reading.reason);
  if (reading.provenance != Provenance::Driver) {
    return format_text("the reading is {}", to_string(reading.provenance));
  }
  if (now - reading.time.mono > config.freshness) return "the reading is old";
  if (!reading.memory->total || *reading.memory->total == 0) return "the device's total is not known";
  if (state.level != Level::Normal) return format_text("the level is {}", to_string(state.level));
  return {};
}

}  // namespace

Result<void> OffloadConfig::validate() const {
  return check_percents(*this).and_then([this] { return check_durations(*this); });
}

std::string obstacle_to_restore(const DeviceState& state, Bytes bytes, const OffloadConfig& config, MonoTime now) {
  if (auto obstacle = obstacle_of_state(state, config, now); !obstacle.empty()) return obstacle;
  const auto& memory = *state.reading.memory;
  const auto share = (config.trigger_percent - config.margin_percent) / 100;
  const auto most = static_cast<Bytes>(static_cast<double>(*memory.total) * share);
  const auto room = [most](Bytes used) { return most - std::min(used, most); };
  if (room(memory.occupied()) < bytes) {
    return format_text("{} would be back, there is room for {}", format_bytes(bytes),
                       format_bytes(room(memory.occupied())));
  }
  if (!state.forecast) return {};
  if (state.forecast->risk.value_or(0) > config.calm_risk) {
    return format_text("the risk of exhaustion is {:.2f}", *state.forecast->risk);
  }
  if (room(state.forecast->expected_used) >= bytes) return {};
  return format_text("{} would be back, there will be room for {}", format_bytes(bytes),
                     format_bytes(room(state.forecast->expected_used)));
}

void RestoreWait::on_offloaded(const OffloadConfig& config, MonoTime now) {
  const bool again = restored_ && now - *restored_ < std::max(config.soon, wait_);
  if (again) {
    wait_longer(config);
  } else {
    wait_ = config.hold_off;
  }
  since_ = now;
}

void RestoreWait::on_failed(const OffloadConfig& config, MonoTime now) {
  wait_longer(config);
  since_ = now;
}

void RestoreWait::wait_longer(const OffloadConfig& config) { wait_ = std::min(wait_ * 2, config.longest_wait); }

}  // namespace dualgpuopt::memory
