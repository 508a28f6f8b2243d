#include "monitor/device_track.h"

#include <algorithm>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

/// How many events of a device are remembered.
constexpr std::size_t kMostEvents = 8;

/// The reading as if the device had `capacity` bytes in all.
void replace_total(Reading& reading, Bytes capacity) {
  reading.memory = MemoryUse::from_used_and_total(reading.memory->occupied(), capacity);
}

}  // namespace

DeviceTrack::DeviceTrack(Device device, Provenance provenance, const MonitorConfig& config)
    : config_(config),
      device_(std::make_shared<const Device>(std::move(device))),
      forecaster_(make_forecaster()),
      engine_(config.thresholds) {
  last_good_.gpu = device_->gpu;
  last_good_.provenance = provenance;
}

bool DeviceTrack::is_news(const Reading& reading) const {
  return reading.ok() && (!last_good_.ok() || reading.time.mono > last_good_.time.mono);
}

void DeviceTrack::describe(Device device) {
  if (device == *device_) return;
  device_ = std::make_shared<const Device>(std::move(device));
  if (!is_judged()) forecast_.reset();
}

DeviceTrack::Intake DeviceTrack::take(Reading reading, Duration recovery_time) {
  silence_.clear();
  keep_events(reading.events);
  if (!reading.ok()) {
    failure_ = std::move(reading);
    return {};
  }
  failure_.reset();
  if (!is_news(reading)) return {};
  if (config_.capacity) replace_total(reading, *config_.capacity);
  learn(reading);
  if (config_.thresholds.adaptive) adapt_thresholds(reading, recovery_time);
  Intake intake{true, judge(reading)};
  if (last_good_.ok()) used_before_ = last_good_.memory->occupied();
  last_good_ = std::move(reading);
  return intake;
}

void DeviceTrack::learn(const Reading& reading) {
  const auto occupied = reading.memory->occupied();
  history_->add(reading.time.mono, occupied);
  if (is_judged()) {
    forecaster_->update(reading.time.mono, occupied);
    forecast_ = forecaster_->forecast(reading.time, config_.horizon, reading.memory->total);
    ledger_.add(reading.time.mono, occupied, reading.memory->total, *forecast_);
    leak_.add(reading.time.mono, occupied);
    if (reading.processes) process_leaks_.add(*reading.processes);
  }
  peak_used_ = std::max(peak_used_, occupied);
  if (reading.processes) processes_ = reading.processes;
}

void DeviceTrack::adapt_thresholds(const Reading& reading, Duration recovery_time) {
  const auto times = reaction_times(recovery_time, config_.horizon);
  Headrooms headrooms;
  bool is_news = false;
  for (std::size_t i = 0; i < times.size(); ++i) {
    is_news = rises_[i].add(reading.time.mono, reading.memory->occupied(), times[i]) || is_news;
    if (const auto rise = rises_[i].usual_most()) headrooms[i] = Headroom{*rise, times[i]};
  }
  if (!is_news || !reading.memory->total) return;
  const auto adapted = adapt(config_.thresholds, headrooms, *reading.memory->total);
  learned_ = learned_thresholds(config_.thresholds, adapted, headrooms);
  engine_.set_thresholds(adapted);
}

void DeviceTrack::keep_events(const std::vector<DeviceEvent>& events) {
  for (const auto& event : events) {
    if (events_.size() == kMostEvents) events_.pop_front();
    events_.push_back(event);
  }
}

std::optional<MemoryAlert> DeviceTrack::judge(const Reading& reading) {
  if (!is_judged()) return std::nullopt;
  auto alert = engine_.update(reading, &*forecast_);
  if (alert) alert->events.assign(events_.begin(), events_.end());
  return alert;
}

bool DeviceTrack::wants_processes(MonoTime now) const {
  return !processes_ || now - processes_->time.mono >= config_.polling.processes;
}

std::vector<Leak> DeviceTrack::leaks() const {
  auto leaks = process_leaks_.leaks();
  if (const auto estimate = leak_.leak()) leaks.insert(leaks.begin(), Leak{{}, {}, {}, *estimate});
  return leaks;
}

DeviceSnapshot DeviceTrack::snapshot(MonoTime now, Duration stale_after) const {
  DeviceSnapshot shot{device_,    DeviceStatus::Ok, {},
                      last_good_, level(),          forecast_,
                      processes_, peak_used_,       {events_.begin(), events_.end()}};
  shot.accuracy = ledger_.accuracy();
  shot.leaks = leaks();
  shot.thresholds = learned_;
  if (failure_) {
    shot.status = DeviceStatus::Unavailable;
    shot.reason = failure_->reason;
    shot.reading = *failure_;
    shot.forecast.reset();
  } else if (!last_good_.ok()) {
    shot.reason = silence_.empty() ? "not read yet" : silence_;
    shot.reading.reason = shot.reason;
    shot.status = DeviceStatus::Unavailable;
    shot.is_awaited = silence_.empty();
  } else if (now - last_good_.time.mono >= stale_after || !silence_.empty()) {
    shot.status = DeviceStatus::Stale;
    shot.reason =
        silence_.empty() ? format_text("no reading for {}", format_duration(now - last_good_.time.mono)) : silence_;
  }
  return shot;
}

}  // namespace dualgpuopt::memory
