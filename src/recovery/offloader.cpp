#include "dualgpuopt/memory/recovery/offloader.h"

#include <utility>

#include "recovery/offloader_state.h"

namespace dualgpuopt::memory {

OffloadRegistration& OffloadRegistration::operator=(OffloadRegistration&& other) noexcept {
  if (this != &other) {
    cancel();
    state_ = std::move(other.state_);
    id_ = other.id_;
  }
  return *this;
}

void OffloadRegistration::cancel() {
  if (const auto state = std::exchange(state_, nullptr)) state->remove(id_);
}

OffloadUse::~OffloadUse() {
  if (state_) state_->end_use(id_);
}

SafeRegion::~SafeRegion() {
  if (state_) state_->end_safe_region();
}

Offloader::Offloader(std::shared_ptr<const Clock> clock, const OffloadConfig& config, HostRoomReader host_room)
    : state_(std::make_shared<OffloaderState>(std::move(clock), config, std::move(host_room))) {}

Offloader::~Offloader() = default;

OffloadRegistration Offloader::add(Offloadable& object, OffloadTiming timing) {
  return {state_, state_->add(object, timing)};
}

RecoveryCallback Offloader::strategy() const {
  return [state = state_](const RecoveryRequest& request) { return state->offload(request); };
}

StrategyAnswer Offloader::offload(const RecoveryRequest& request) { return state_->offload(request); }

std::optional<OffloadMove> Offloader::on_state(const DeviceState& state) { return state_->on_state(state); }

std::vector<OffloadMove> Offloader::safe_point() { return state_->safe_point(); }

SafeRegion Offloader::safe_region() {
  state_->begin_safe_region();
  return SafeRegion(state_);
}

Result<OffloadUse> Offloader::use(OffloadId id) {
  return state_->begin_use(id).map([&] { return OffloadUse(state_, id); });
}

std::vector<OffloadEntry> Offloader::objects() const { return state_->objects(); }

std::optional<OffloadEntry> Offloader::find(OffloadId id) const { return state_->find(id); }

}  // namespace dualgpuopt::memory
