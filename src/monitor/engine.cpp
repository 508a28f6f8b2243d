#include "monitor/engine.h"

#include <unistd.h>

#include <algorithm>

#include "dualgpuopt/memory/recovery/forecast_trigger.h"
#include "dualgpuopt/memory/recovery/rung_times.h"

namespace dualgpuopt::memory {

Engine::Engine(const std::vector<Device>& devices, Provenance provenance, const MonitorConfig& config)
    : config_(config),
      provenance_(provenance),
      self_(getpid()),
      recovery_time_(RungTimes(config.ladder).of_all(config.ladder.rungs)) {
  set_devices(devices);
}

void Engine::set_devices(const std::vector<Device>& devices) {
  for (const auto& device : devices) {
    auto* track = find(device.gpu);
    if (track == nullptr) {
      track = &tracks_.emplace_back(device, provenance_, config_);
    } else if (device == *track->device()) {
      continue;
    } else {
      track->describe(device);
    }
    directory_.put(track->device(), track->history());
  }
}

bool Engine::all_can_be_read() const {
  return std::none_of(tracks_.begin(), tracks_.end(), [](const DeviceTrack& track) { return track.has_failed(); });
}

DeviceTrack* Engine::find(int gpu) {
  const auto found = std::find_if(tracks_.begin(), tracks_.end(), [&](const auto& t) { return t.gpu() == gpu; });
  return found == tracks_.end() ? nullptr : &*found;
}

std::optional<EngineEvent> Engine::take(Reading reading) {
  auto* track = find(reading.gpu);
  if (track == nullptr) return std::nullopt;
  auto intake = track->take(std::move(reading), recovery_time_);
  if (!intake.fresh) return std::nullopt;
  EngineEvent event{track->gpu(), std::move(intake.alert), std::nullopt};
  if (const auto cause = cause_to_climb(*track)) {
    event.climb = ClimbEvidence{track->gpu(), track->level(),        track->last_good(),   track->forecast(),
                                *cause,       recovery_time_.load(), track->used_before(), track->processes(),
                                self_};
  }
  return event;
}

std::optional<ClimbCause> Engine::cause_to_climb(const DeviceTrack& track) const {
  if (track.level() >= config_.ladder.trigger) return ClimbCause::Level;
  const auto& forecast = track.forecast();
  if (!forecast || !is_sooner_than_recovery(*forecast, config_.ladder, recovery_time_)) return std::nullopt;
  return ClimbCause::Forecast;
}

void Engine::set_silence(int gpu, std::string reason) {
  if (auto* track = find(gpu)) track->set_silence(std::move(reason));
}

std::shared_ptr<const Snapshot> Engine::publish(TimeStamp now, Duration interval) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->sequence = ++sequence_;
  snapshot->time = now;
  snapshot->provenance = provenance_;
  snapshot->devices.reserve(tracks_.size());
  for (const auto& track : tracks_) snapshot->devices.push_back(track.snapshot(now.mono, interval * 5 / 2));
  board_->publish(snapshot);
  return snapshot;
}

}  // namespace dualgpuopt::memory
