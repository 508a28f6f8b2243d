#include "dualgpuopt/memory/core/clock.h"

#include <fmt/chrono.h>

#include <condition_variable>
#include <mutex>

#include "core/format.h"

namespace dualgpuopt::memory {

std::string format_wall_time(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(time - whole).count();
  return format_text("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(whole)), millis);
}

bool SystemClock::sleep_until(MonoTime time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_until(lock, stop, origin_ + time.time_since_epoch(), [] { return false; });
  return !stop.stop_requested();
}

bool VirtualClock::sleep_until(MonoTime time, const std::stop_token& stop) {
  if (stop.stop_requested()) return false;
  advance_to(time);
  return true;
}

void VirtualClock::advance_to(MonoTime time) {
  const auto target = time.time_since_epoch().count();
  auto current = now_.load(std::memory_order_acquire);
  while (current < target && !now_.compare_exchange_weak(current, target, std::memory_order_acq_rel)) {
  }
}

}  // namespace dualgpuopt::memory
