#include "dualgpuopt/memory/alerts/alert_engine.h"

#include <cassert>
#include <utility>

namespace dualgpuopt::memory {
namespace {

constexpr std::array kLowestFirst{Level::Warning, Level::Critical, Level::Emergency};

std::size_t index_of(Level level) { return static_cast<std::size_t>(level) - 1; }

bool is_forecast_within(const Forecast* forecast, const std::optional<Seconds>& time, double factor) {
  return forecast != nullptr && forecast->time_to_oom && time && *forecast->time_to_oom <= *time * factor;
}

Level next_lower(Level level) { return static_cast<Level>(static_cast<int>(level) - 1); }

}  // namespace

AlertEngine::AlertEngine(AlertThresholds thresholds) : thresholds_(thresholds) { assert(thresholds_.validate()); }

void AlertEngine::set_thresholds(const AlertThresholds& thresholds) {
  assert(thresholds.validate());
  thresholds_ = thresholds;
}

std::optional<MemoryAlert> AlertEngine::update(const Reading& reading, const Forecast* forecast) {
  if (!reading.memory || !reading.memory->occupied_percent()) return std::nullopt;
  note_forecast(forecast, reading.time.mono);
  note_reached(*reading.memory, forecast, reading.time.mono);
  if (const auto due = due_level(reading.time.mono); due > level_) return raise(due, reading, forecast);
  if (level_ == Level::Normal) return std::nullopt;
  if (const auto lasting = lasting_match(*reading.memory, reading.time.mono); lasting.level < level_) {
    return clear(lasting, reading, forecast);
  }
  if (repeat_is_due(reading.time.mono)) return make_alert(AlertEvent::Repeated, level_, reading, forecast);
  return std::nullopt;
}

void AlertEngine::note_forecast(const Forecast* forecast, MonoTime now) {
  for (const auto level : kLowestFirst) {
    const auto& time = thresholds_.of(level).time_to_oom;
    if (is_forecast_within(forecast, time, AlertThresholds::kForecastHysteresis)) forecast_[index_of(level)] = now;
  }
}

void AlertEngine::note_reached(const MemoryUse& memory, const Forecast* forecast, MonoTime now) {
  for (const auto level : kLowestFirst) {
    auto& state = reached(level);
    auto half = reached_half(thresholds_.of(level), memory);
    if (!half && is_forecast_within(forecast, thresholds_.of(level).time_to_oom, 1)) half = ThresholdKind::TimeToOom;
    if (!half) {
      state.reset();
    } else {
      state = Reached{state ? state->since : now, *half};
      if (level == level_) reached_by_ = *half;
    }
  }
}

Level AlertEngine::due_level(MonoTime now) {
  auto due = Level::Normal;
  for (const auto level : kLowestFirst) {
    const auto& state = reached(level);
    if (state && now - state->since >= thresholds_.of(level).minimum_duration) due = level;
  }
  return due;
}

bool AlertEngine::is_held_by_forecast(Level level, MonoTime now) const {
  const auto& last = forecast_[index_of(level)];
  return last && now - *last <= thresholds_.forecast_hold;
}

LevelMatch AlertEngine::lasting_match(const MemoryUse& memory, MonoTime now) const {
  for (auto level = level_; level != Level::Normal; level = next_lower(level)) {
    if (const auto half = reached_half(thresholds_.of(level), memory, thresholds_.hysteresis_percent)) {
      return {level, *half};
    }
    if (is_held_by_forecast(level, now)) return {level, ThresholdKind::TimeToOom};
  }
  return {};
}

bool AlertEngine::repeat_is_due(MonoTime now) const {
  const auto interval = thresholds_.repeat_interval;
  return interval > Duration::zero() && now - last_alert_ >= interval;
}

MemoryAlert AlertEngine::raise(Level level, const Reading& reading, const Forecast* forecast) {
  level_ = level;
  reached_by_ = reached(level)->by;
  return make_alert(AlertEvent::Raised, level, reading, forecast);
}

MemoryAlert AlertEngine::clear(LevelMatch lasting, const Reading& reading, const Forecast* forecast) {
  const auto ended = std::exchange(level_, lasting.level);
  auto alert = make_alert(AlertEvent::Cleared, ended, reading, forecast);
  reached_by_ = lasting.reached_by;
  return alert;
}

MemoryAlert AlertEngine::make_alert(AlertEvent event, Level level, const Reading& reading, const Forecast* forecast) {
  last_alert_ = reading.time.mono;
  MemoryAlert alert;
  alert.event = event;
  alert.level = level;
  alert.current = level_;
  alert.gpu = reading.gpu;
  alert.time = reading.time;
  alert.provenance = reading.provenance;
  alert.message = event != AlertEvent::Cleared && reached_by_ == ThresholdKind::TimeToOom
                      ? forecast_message(reading.gpu)
                      : alert_message(event, level, level_, reading.gpu);
  if (event != AlertEvent::Cleared) alert.recommendations = alert_recommendations(level);
  alert.memory = *reading.memory;
  alert.used_percent = reading.memory->occupied_percent().value_or(0);
  alert.threshold = thresholds_.of(level);
  alert.reached_by = reached_by_;
  if (forecast != nullptr) alert.forecast = *forecast;
  return alert;
}

}  // namespace dualgpuopt::memory
