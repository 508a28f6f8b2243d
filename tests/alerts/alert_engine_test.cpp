#include "dualgpuopt/memory/alerts/alert_engine.h"

#include <gmock/gmock.h>

#include "alerts/readings.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;

/// "raised critical, now critical", or "" for no alert.
std::string brief(const std::optional<MemoryAlert>& alert) {
  if (!alert) return "";
  std::string text(to_string(alert->event));
  return text.append(" ").append(to_string(alert->level)).append(", now ").append(to_string(alert->current));
}

class AlertEngineTest : public ::testing::Test {
 protected:
  std::string at(Duration time, double percent) { return brief(update(time, percent)); }
  std::optional<MemoryAlert> update(Duration time, double percent) {
    return engine.update(reading_of_percent(percent, time), nullptr);
  }
  void use(const AlertThresholds& thresholds) { engine = AlertEngine(thresholds); }

  AlertEngine engine{AlertThresholds{}};
};

TEST_F(AlertEngineTest, SaysNothingOfAQuietDevice) {
  for (int second = 0; second < 1000; ++second) EXPECT_EQ(at(second * 1s, 79.9), "");
  EXPECT_EQ(engine.level(), Level::Normal);
}

TEST_F(AlertEngineTest, JudgesByNewThresholdsFromTheNextReadingOn) {
  EXPECT_EQ(at(0s, 91), "raised critical, now critical");
  auto moved = engine.thresholds();
  moved.critical.percent = 94;
  engine.set_thresholds(moved);
  EXPECT_EQ(engine.level(), Level::Critical);
  EXPECT_EQ(at(1s, 91), "cleared critical, now warning");
  moved.critical.percent = 85;
  engine.set_thresholds(moved);
  EXPECT_EQ(at(2s, 91), "raised critical, now critical");
}

/// Exhaustion after so many seconds; none for a negative number.
Forecast foreseen(double seconds) {
  Forecast forecast;
  forecast.regime = Regime::Growing;
  forecast.slope_bytes_per_second = 20.0 * (1 << 20);
  if (seconds >= 0) forecast.time_to_oom = Seconds(seconds);
  return forecast;
}

class AlertByForecast : public AlertEngineTest {
 protected:
  std::string with(Duration time, double percent, double time_to_oom) {
    const auto forecast = foreseen(time_to_oom);
    return brief(engine.update(reading_of_percent(percent, time), &forecast));
  }
};

TEST_F(AlertByForecast, WarnsBeforeThePercentIsReached) {
  EXPECT_EQ(with(0s, 50, 90), "");
  const auto forecast = foreseen(45);
  const auto alert = engine.update(reading_of_percent(55, 1s), &forecast);
  ASSERT_TRUE(alert);
  EXPECT_EQ(alert->reached_by, ThresholdKind::TimeToOom);
  EXPECT_EQ(alert->text(), "[GPU 0] WARNING: GPU 0 is forecast to run out of memory (in 45 s, grows by 20 MiB/s)");
  EXPECT_EQ(with(2s, 80, 20), "");  // the same level, by the percent too
}

TEST_F(AlertByForecast, NeverReachesCriticalOrEmergencyByItselfUnlessConfigured) {
  EXPECT_EQ(with(0s, 50, 1), "raised warning, now warning");
  EXPECT_EQ(with(1s, 50, 0.1), "");
  AlertThresholds thresholds;
  thresholds.critical.time_to_oom = Seconds(15);
  use(thresholds);
  EXPECT_EQ(with(0s, 50, 20), "raised warning, now warning");
  EXPECT_EQ(with(1s, 50, 15), "raised critical, now critical");
}

TEST_F(AlertByForecast, LastsUntilNoForecastCameForAWhile) {
  EXPECT_EQ(with(0s, 50, 60), "raised warning, now warning");
  EXPECT_EQ(with(5s, 50, 89), "");  // under one and a half times the threshold
  EXPECT_EQ(with(6s, 50, -1), "");
  EXPECT_EQ(with(15s, 50, 91), "");
  EXPECT_EQ(with(16s, 50, -1), "cleared warning, now normal");
}

TEST_F(AlertByForecast, DoesNotFlapOverForecastsThatComeAndGo) {
  EXPECT_EQ(with(0s, 50, 30), "raised warning, now warning");
  for (int second = 1; second < 200; ++second) EXPECT_EQ(with(second * 1s, 50, second % 9 == 0 ? 30 : -1), "");
}

TEST_F(AlertByForecast, IsRaisedAfterItsMinimumDuration) {
  AlertThresholds thresholds;
  thresholds.warning.minimum_duration = 3s;
  use(thresholds);
  EXPECT_EQ(with(0s, 50, 30), "");
  EXPECT_EQ(with(2s, 50, -1), "");  // not for long enough
  EXPECT_EQ(with(3s, 50, 30), "");
  EXPECT_EQ(with(6s, 50, 30), "raised warning, now warning");
}

TEST_F(AlertByForecast, IsSilentWhereTheForecastDoesNotCount) {
  AlertThresholds thresholds;
  thresholds.warning.time_to_oom.reset();
  use(thresholds);
  EXPECT_EQ(with(0s, 50, 1), "");
}

TEST_F(AlertEngineTest, RaisesEachLevelOnce) {
  EXPECT_EQ(at(0s, 80), "raised warning, now warning");
  EXPECT_EQ(at(1s, 81), "");
  EXPECT_EQ(at(2s, 90), "raised critical, now critical");
  EXPECT_EQ(at(3s, 96), "raised emergency, now emergency");
  EXPECT_EQ(at(4s, 100), "");
}

TEST_F(AlertEngineTest, RaisesOnlyTheHighestLevelOfAJump) {
  EXPECT_EQ(at(0s, 50), "");
  EXPECT_EQ(at(1s, 97), "raised emergency, now emergency");
  EXPECT_EQ(at(2s, 50), "cleared emergency, now normal");
  EXPECT_EQ(at(3s, 50), "");
}

TEST_F(AlertEngineTest, ClearsOnlyBeyondTheHysteresis) {
  EXPECT_EQ(at(0s, 80), "raised warning, now warning");
  EXPECT_EQ(at(1s, 78), "");
  EXPECT_EQ(at(2s, 80), "");
  EXPECT_EQ(at(3s, 77.9), "cleared warning, now normal");
  EXPECT_EQ(at(4s, 79.9), "");
}

TEST_F(AlertEngineTest, FallsToTheLevelThatStillHoldsWithHysteresis) {
  EXPECT_EQ(at(0s, 96), "raised emergency, now emergency");
  EXPECT_EQ(at(1s, 89), "cleared emergency, now critical");
  EXPECT_EQ(at(2s, 79), "cleared critical, now warning");
  EXPECT_EQ(at(3s, 77), "cleared warning, now normal");
}

TEST_F(AlertEngineTest, RepeatsAtItsIntervalWhileALevelLasts) {
  AlertThresholds thresholds;
  thresholds.repeat_interval = 10s;
  use(thresholds);
  EXPECT_EQ(at(0s, 85), "raised warning, now warning");
  EXPECT_EQ(at(9s, 85), "");
  EXPECT_EQ(at(10s, 85), "repeated warning, now warning");
  EXPECT_EQ(at(19s, 91), "raised critical, now critical");
  EXPECT_EQ(at(28s, 91), "");
  EXPECT_EQ(at(31s, 91), "repeated critical, now critical");
  EXPECT_EQ(at(32s, 85), "cleared critical, now warning");
  EXPECT_EQ(at(41s, 85), "");
  EXPECT_EQ(at(42s, 85), "repeated warning, now warning");
}

TEST_F(AlertEngineTest, NeverRepeatsWithAnIntervalOfZero) {
  AlertThresholds thresholds;
  thresholds.repeat_interval = 0s;
  use(thresholds);
  EXPECT_EQ(at(0s, 85), "raised warning, now warning");
  EXPECT_EQ(at(1000h, 85), "");
}

TEST_F(AlertEngineTest, ARepeatWithinTheHysteresisClaimsNoReachedThreshold) {
  (void)update(0s, 81);
  const auto repeated = update(5min, 79);
  ASSERT_EQ(brief(repeated), "repeated warning, now warning");
  EXPECT_THAT(repeated->text(), EndsWith("is high (79.0%)"));
}

TEST_F(AlertEngineTest, RaisesALevelOnlyAfterItsMinimumDuration) {
  AlertThresholds thresholds;
  thresholds.critical.minimum_duration = 5s;
  use(thresholds);
  EXPECT_EQ(at(0s, 92), "raised warning, now warning");
  EXPECT_EQ(at(4s, 92), "");
  EXPECT_EQ(at(4500ms, 89), "");  // the five seconds begin anew
  EXPECT_EQ(at(5s, 92), "");
  EXPECT_EQ(at(9900ms, 92), "");
  EXPECT_EQ(at(10s, 92), "raised critical, now critical");
  EXPECT_EQ(at(11s, 85), "cleared critical, now warning");
}

TEST_F(AlertEngineTest, AMinimumDurationDoesNotDelayTheLevelsAboveIt) {
  AlertThresholds thresholds;
  thresholds.warning.minimum_duration = 1h;
  use(thresholds);
  EXPECT_EQ(at(0s, 85), "");
  EXPECT_EQ(at(1s, 96), "raised emergency, now emergency");
  EXPECT_EQ(at(2s, 85), "cleared emergency, now warning");
}

TEST_F(AlertEngineTest, LostReadingsChangeNothingAndRepeatNothing) {
  (void)update(0s, 85);
  EXPECT_EQ(brief(engine.update(lost_reading(10min), nullptr)), "");
  EXPECT_EQ(engine.level(), Level::Warning);
  EXPECT_EQ(at(11min, 85), "repeated warning, now warning");
}

TEST_F(AlertEngineTest, ReadingsWithoutATotalChangeNothing) {
  const auto without_total = [](Duration at) { return reading_of(MemoryUse::from_used_and_total(1_TiB, {}), at); };
  EXPECT_EQ(brief(engine.update(without_total(0s), nullptr)), "");
  EXPECT_EQ(engine.level(), Level::Normal);
  (void)update(1s, 96);
  EXPECT_EQ(brief(engine.update(without_total(10min), nullptr)), "");
  EXPECT_EQ(engine.level(), Level::Emergency);
}

TEST_F(AlertEngineTest, ALossDoesNotInterruptAMinimumDuration) {
  AlertThresholds thresholds;
  thresholds.warning.minimum_duration = 2s;
  use(thresholds);
  EXPECT_EQ(at(0s, 85), "");
  EXPECT_EQ(brief(engine.update(lost_reading(1s), nullptr)), "");
  EXPECT_EQ(at(2s, 85), "raised warning, now warning");
}

TEST_F(AlertEngineTest, SaysWhichHalfOfTheThresholdWasReached) {
  AlertThresholds thresholds;
  thresholds.emergency.free = 32_GiB;
  thresholds.repeat_interval = 1s;
  use(thresholds);
  const auto raised = update(0s, 68);
  ASSERT_EQ(brief(raised), "raised emergency, now emergency");
  EXPECT_EQ(raised->reached_by, ThresholdKind::FreeBytes);
  EXPECT_EQ(raised->threshold, thresholds.emergency);
  EXPECT_THAT(raised->text(), EndsWith("(32.0 GiB free < 32.0 GiB)"));
  EXPECT_EQ(update(1s, 96).value().reached_by, ThresholdKind::Percent);
  EXPECT_THAT(update(2s, 67.5).value().text(), EndsWith("OOM risk (67.5%)")) << "lasts by its free bytes' hysteresis";
  EXPECT_EQ(at(3s, 67), "cleared emergency, now normal");
}

TEST_F(AlertEngineTest, AClearedAlertSpeaksOfTheHalfThatHadBeenReached) {
  AlertThresholds thresholds;
  thresholds.warning.free = 32_GiB;
  use(thresholds);
  (void)update(0s, 69);
  EXPECT_EQ(update(1s, 60).value().text(),
            "[GPU 0] WARNING: Memory usage on GPU 0 is back under the warning level (40.0 GiB free)");
}

TEST_F(AlertEngineTest, AfterAFallItSpeaksOfTheHalfThatKeepsTheLowerLevel) {
  AlertThresholds thresholds;
  thresholds.warning = {60, std::nullopt, {}};
  thresholds.emergency.free = 30_GiB;
  thresholds.repeat_interval = 1s;
  use(thresholds);
  EXPECT_EQ(update(0s, 71).value().reached_by, ThresholdKind::FreeBytes);
  EXPECT_EQ(update(1s, 59).value().reached_by, ThresholdKind::FreeBytes) << "of the level that is cleared";
  EXPECT_EQ(update(2s, 59).value().reached_by, ThresholdKind::Percent) << "of the level that remains";
}

TEST_F(AlertEngineTest, AnAlertCarriesTheReadingAndTheForecast) {
  auto reading = reading_of_percent(96, 7s);
  reading.gpu = 2;
  reading.provenance = Provenance::Simulated;
  reading.time.wall = WallTime(1s);
  Forecast forecast;
  forecast.risk = 0.5;
  const auto alert = engine.update(reading, &forecast);
  ASSERT_TRUE(alert);
  EXPECT_EQ(alert->gpu, 2);
  EXPECT_EQ(alert->provenance, Provenance::Simulated);
  EXPECT_EQ(alert->time, reading.time);
  EXPECT_EQ(alert->memory, *reading.memory);
  EXPECT_EQ(alert->used_percent, 96);
  EXPECT_EQ(alert->forecast, forecast);
  EXPECT_EQ(alert->recommendations, alert_recommendations(Level::Emergency));
  EXPECT_THAT(update(8s, 10).value().recommendations, ::testing::IsEmpty());
}

TEST_F(AlertEngineTest, ADescendingTimeRaisesNothingEarlier) {
  AlertThresholds thresholds;
  thresholds.warning.minimum_duration = 5s;
  use(thresholds);
  EXPECT_EQ(at(10s, 85), "");
  EXPECT_EQ(at(1s, 85), "");
  EXPECT_EQ(at(15s, 85), "raised warning, now warning");
}

}  // namespace
}  // namespace dualgpuopt::memory
