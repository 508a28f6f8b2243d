// What AlertEngine owes for any series of readings, told a second time as plainly as possible: from the whole past
// rather than from a state.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "alerts/readings.h"
#include "dualgpuopt/memory/alerts/alert_engine.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

constexpr Bytes kTotal = 1000;  // so that ten bytes are a percent, and free bytes are of the same size
constexpr std::array kHighestFirst{Level::Emergency, Level::Critical, Level::Warning};

LevelThreshold any_threshold(double least_percent, Bytes most_free) {
  LevelThreshold threshold;
  threshold.percent = *rc::gen::inRange(static_cast<int>(least_percent), 101);
  if (*rc::gen::arbitrary<bool>()) threshold.free = *rc::gen::inRange<Bytes>(0, most_free + 1);
  threshold.minimum_duration = *rc::gen::element(0, 0, 1, 3) * 1s;
  return threshold;
}

AlertThresholds any_thresholds() {
  AlertThresholds thresholds;
  thresholds.warning = any_threshold(1, 600);
  thresholds.critical = any_threshold(thresholds.warning.percent, thresholds.warning.free.value_or(600));
  const auto most_free = thresholds.critical.free ? thresholds.critical.free : thresholds.warning.free;
  thresholds.emergency = any_threshold(thresholds.critical.percent, most_free.value_or(600));
  thresholds.hysteresis_percent = *rc::gen::inRange(0, std::min(20, static_cast<int>(thresholds.warning.percent)));
  thresholds.repeat_interval = *rc::gen::element(0, 1, 4, 10) * 1s;
  RC_ASSERT(thresholds.validate());
  return thresholds;
}

Reading any_reading(MonoTime time) {
  switch (*rc::gen::inRange(0, 10)) {
    case 0: return lost_reading(time.time_since_epoch());
    case 1: return reading_of(MemoryUse::from_used_and_total(999, std::nullopt), time.time_since_epoch());
    default: break;
  }
  const auto used = *rc::gen::oneOf(rc::gen::inRange<Bytes>(0, kTotal + 1), rc::gen::inRange<Bytes>(700, kTotal + 1));
  return reading_of(MemoryUse::from_used_and_total(used, kTotal), time.time_since_epoch());
}

std::vector<Reading> any_series() {
  std::vector<Reading> series;
  MonoTime time;
  for (int left = *rc::gen::inRange(0, 60); left > 0; --left) {
    series.push_back(any_reading(time));
    time += *rc::gen::inRange(0, 4) * 1s;
  }
  return series;
}

bool is_good(const Reading& reading) { return reading.ok() && reading.memory->total; }

/// Whether a good reading is at or beyond the threshold, in whole bytes where the engine reckons in percents.
bool is_beyond(const LevelThreshold& threshold, const Reading& reading, double hysteresis) {
  const auto used = static_cast<double>(reading.memory->used);
  const auto free = static_cast<double>(kTotal) - used;
  if (used >= (threshold.percent - hysteresis) * 10) return true;
  return threshold.free && free * 100 <= static_cast<double>(*threshold.free) * (100 + hysteresis);
}

/// The reference: what a device's past calls for, and the alerts so far.
class Reference {
 public:
  explicit Reference(const AlertThresholds& thresholds) : thresholds_(thresholds) {}

  /// The event that the reading causes, and `level()` afterwards.
  std::optional<AlertEvent> update(const Reading& reading) {
    if (!is_good(reading)) return std::nullopt;
    past_.push_back(reading);
    const auto event = next_event();
    if (event) last_alert_ = reading.time.mono;
    return event;
  }
  [[nodiscard]] Level level() const { return level_; }

 private:
  std::optional<AlertEvent> next_event() {
    for (const auto level : kHighestFirst) {
      if (level > level_ && held_long_enough(level)) {
        level_ = level;
        return AlertEvent::Raised;
      }
    }
    if (level_ == Level::Normal) return std::nullopt;
    if (const auto lasting = lasting_level(); lasting != level_) {
      level_ = lasting;
      return AlertEvent::Cleared;
    }
    const auto interval = thresholds_.repeat_interval;
    if (interval == 0s || past_.back().time.mono < last_alert_ + interval) return std::nullopt;
    return AlertEvent::Repeated;
  }

  [[nodiscard]] bool held_long_enough(Level level) const {
    const auto& threshold = thresholds_.of(level);
    for (auto reading = past_.rbegin(); reading != past_.rend() && is_beyond(threshold, *reading, 0); ++reading) {
      if (reading->time.mono + threshold.minimum_duration <= past_.back().time.mono) return true;
    }
    return false;
  }

  [[nodiscard]] Level lasting_level() const {
    for (const auto level : kHighestFirst) {
      if (level <= level_ && is_beyond(thresholds_.of(level), past_.back(), thresholds_.hysteresis_percent)) {
        return level;
      }
    }
    return Level::Normal;
  }

  AlertThresholds thresholds_;
  std::vector<Reading> past_;
  Level level_ = Level::Normal;
  MonoTime last_alert_;
};

RC_GTEST_PROP(AlertEngineProperty, DoesWhatTheWholePastCallsFor, ()) {
  const auto thresholds = any_thresholds();
  AlertEngine engine(thresholds);
  Reference reference(thresholds);
  for (const auto& reading : any_series()) {
    const auto before = engine.level();
    const auto alert = engine.update(reading, nullptr);
    const auto expected = reference.update(reading);
    RC_ASSERT(engine.level() == reference.level());
    RC_ASSERT(alert.has_value() == expected.has_value());
    if (!alert) continue;
    RC_ASSERT(alert->event == *expected);
    RC_ASSERT(alert->current == engine.level());
    RC_ASSERT(alert->level == (alert->event == AlertEvent::Cleared ? before : engine.level()));
  }
}

RC_GTEST_PROP(AlertEngineProperty, RaisesUpwardsClearsDownwardsRepeatsInPlace, ()) {
  AlertEngine engine(any_thresholds());
  auto in_force = Level::Normal;
  for (const auto& reading : any_series()) {
    const auto alert = engine.update(reading, nullptr);
    if (!alert) {
      RC_ASSERT(engine.level() == in_force);
      continue;
    }
    RC_ASSERT(is_good(reading));
    RC_ASSERT(alert->level != Level::Normal);
    if (alert->event == AlertEvent::Raised) RC_ASSERT(alert->level > in_force && alert->current == alert->level);
    if (alert->event == AlertEvent::Cleared) RC_ASSERT(alert->level == in_force && alert->current < in_force);
    if (alert->event == AlertEvent::Repeated) RC_ASSERT(alert->level == in_force && alert->current == in_force);
    in_force = alert->current;
  }
}

RC_GTEST_PROP(AlertEngineProperty, TheLevelAlwaysExplainsItself, ()) {
  const auto thresholds = any_thresholds();
  AlertEngine engine(thresholds);
  for (const auto& reading : any_series()) {
    (void)engine.update(reading, nullptr);
    if (!is_good(reading)) continue;
    if (engine.level() != Level::Normal) {
      RC_ASSERT(is_beyond(thresholds.of(engine.level()), reading, thresholds.hysteresis_percent));
    }
    for (const auto level : kHighestFirst) {
      const bool ignored = level > engine.level() && is_beyond(thresholds.of(level), reading, 0);
      if (ignored) RC_ASSERT(thresholds.of(level).minimum_duration > 0s);
    }
  }
}

RC_GTEST_PROP(AlertEngineProperty, RepeatsAreApartByTheInterval, ()) {
  const auto thresholds = any_thresholds();
  AlertEngine engine(thresholds);
  std::optional<MonoTime> last;
  for (const auto& reading : any_series()) {
    const auto alert = engine.update(reading, nullptr);
    if (!alert) continue;
    if (alert->event == AlertEvent::Repeated) {
      RC_ASSERT(thresholds.repeat_interval > 0s);
      RC_ASSERT(reading.time.mono - last.value() >= thresholds.repeat_interval);
    }
    last = reading.time.mono;
  }
}

RC_GTEST_PROP(AlertEngineProperty, ARaisedAlertShowsTheHalfItSpeaksOf, ()) {
  AlertEngine engine(any_thresholds());
  for (const auto& reading : any_series()) {
    const auto alert = engine.update(reading, nullptr);
    if (!alert || alert->event != AlertEvent::Raised) continue;
    const bool by_percent = alert->reached_by == ThresholdKind::Percent;
    RC_ASSERT((by_percent ? alert->used_percent >= alert->threshold.percent
                          : alert->threshold.free && *alert->memory.free <= *alert->threshold.free));
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
