#include "dualgpuopt/memory/monitor/offload_follower.h"

#include <utility>

namespace dualgpuopt::memory {
namespace {

/// The longest that its end waits for a snapshot.
constexpr Duration kLook = std::chrono::milliseconds(100);

}  // namespace

OffloadFollower::OffloadFollower(const MemoryMonitor& monitor, Offloader& offloader, OnMove on_move)
    : monitor_(monitor), offloader_(offloader), on_move_(std::move(on_move)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { follow(stop); });
}

void OffloadFollower::follow(const std::stop_token& stop) const {
  std::uint64_t seen = 0;
  while (!stop.stop_requested()) {
    const auto snapshot = monitor_.wait_for_snapshot(seen, kLook);
    if (snapshot->sequence > seen) show(*snapshot);
    seen = snapshot->sequence;
  }
}

void OffloadFollower::show(const Snapshot& snapshot) const {
  for (const auto& device : snapshot.devices) {
    if (device.status != DeviceStatus::Ok) continue;
    const auto move = offloader_.on_state({device.reading, device.forecast, device.level});
    if (move && on_move_) on_move_(*move);
  }
}

}  // namespace dualgpuopt::memory
