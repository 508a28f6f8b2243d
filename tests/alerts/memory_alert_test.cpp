#include "dualgpuopt/memory/alerts/memory_alert.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "alerts/readings.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

MemoryAlert alert_at(double percent, AlertEvent event = AlertEvent::Raised, Level level = Level::Warning,
                     Level current = Level::Warning) {
  MemoryAlert alert;
  alert.event = event;
  alert.level = level;
  alert.current = current;
  alert.message = alert_message(event, level, current, 0);
  alert.memory = use_of_percent(percent);
  alert.used_percent = percent;
  alert.threshold = {80, std::nullopt, {}};
  return alert;
}

TEST(MemoryAlertText, SaysWhatWasMeasuredAndTheThreshold) {
  EXPECT_EQ(alert_at(84).text(), "[GPU 0] WARNING: Memory usage on GPU 0 is high (84.0% > 80.0%)");
  EXPECT_EQ(alert_at(80).text(), "[GPU 0] WARNING: Memory usage on GPU 0 is high (80.0% > 80.0%)");
}

TEST(MemoryAlertText, SpeaksOfFreeBytesWhereTheyWereReached) {
  auto alert = alert_at(70, AlertEvent::Raised, Level::Emergency, Level::Emergency);
  alert.threshold = {95, 32_GiB, {}};
  alert.reached_by = ThresholdKind::FreeBytes;
  EXPECT_EQ(alert.text(),
            "[GPU 0] EMERGENCY: Memory usage on GPU 0 is at emergency level, OOM risk (30.0 GiB free < 32.0 GiB)");
  alert.memory = use_of_percent(67);
  EXPECT_THAT(alert.text(), ::testing::EndsWith("(33.0 GiB free)"));
  alert.event = AlertEvent::Cleared;
  alert.memory = use_of_percent(70);
  EXPECT_THAT(alert.text(), ::testing::EndsWith("(30.0 GiB free)"));
}

TEST(MemoryAlertText, ClaimsNoThresholdThatIsNotReached) {
  EXPECT_EQ(alert_at(79, AlertEvent::Repeated).text(), "[GPU 0] WARNING: Memory usage on GPU 0 is high (79.0%)");
  EXPECT_EQ(alert_at(71, AlertEvent::Cleared, Level::Warning, Level::Normal).text(),
            "[GPU 0] WARNING: Memory usage on GPU 0 is back under the warning level (71.0%)");
  EXPECT_EQ(alert_at(84, AlertEvent::Cleared, Level::Emergency, Level::Warning).text(),
            "[GPU 0] EMERGENCY: Memory usage on GPU 0 fell from emergency to warning (84.0%)");
}

TEST(MemoryAlertText, IsTheSameForEveryProvenance) {
  auto simulated = alert_at(84);
  simulated.provenance = Provenance::Simulated;
  EXPECT_EQ(simulated.text(), alert_at(84).text());
}

TEST(AlertMessage, IsTheOriginalModules) {
  const auto raised = [](Level level) { return alert_message(AlertEvent::Raised, level, level, 3); };
  EXPECT_EQ(raised(Level::Warning), "Memory usage on GPU 3 is high");
  EXPECT_EQ(raised(Level::Critical), "Memory usage on GPU 3 is approaching critical level");
  EXPECT_EQ(raised(Level::Emergency), "Memory usage on GPU 3 is at emergency level, OOM risk");
  EXPECT_EQ(alert_message(AlertEvent::Repeated, Level::Warning, Level::Warning, 3), raised(Level::Warning));
}

TEST(AlertRecommendations, AreTheOriginalModules) {
  EXPECT_THAT(alert_recommendations(Level::Warning),
              ElementsAre("Consider reducing batch size", "Monitor for further increases"));
  EXPECT_THAT(alert_recommendations(Level::Critical), ElementsAre("Reduce batch size", "Clear caches if possible",
                                                                  "Consider terminating non-essential processes"));
  EXPECT_THAT(alert_recommendations(Level::Emergency),
              ElementsAre("Immediately reduce workload", "Terminate non-essential processes", "Clear all caches"));
  EXPECT_THAT(alert_recommendations(Level::Normal), IsEmpty());
}

TEST(MemoryAlertJson, IsOneLineWithEveryField) {
  auto alert = alert_at(84);
  alert.time.mono = MonoTime(12500ms);
  alert.provenance = Provenance::Replayed;
  alert.recommendations = {"Wait"};
  EXPECT_EQ(
      to_json(alert),
      R"({"schema":1,"type":"alert","t":12.5,"time":null,"gpu":0,"provenance":"replayed","event":"raised",)"
      R"("level":"warning","current_level":"warning","message":"Memory usage on GPU 0 is high",)"
      R"("recommendations":["Wait"],)"
      R"+("text":"[GPU 0] WARNING: Memory usage on GPU 0 is high (84.0% > 80.0%)",)+"
      R"("total_bytes":107374182400,"used_bytes":90194313216,"free_bytes":17179869184,"used_percent":84.0,)"
      R"("reached_by":"percent","threshold":{"percent":80.0,"free_bytes":null,"minimum_duration_s":0.0,"time_to_oom_s":null},)"
      R"("forecast":null})");
}

TEST(MemoryAlertJson, HoldsTheForecastOfThatMoment) {
  auto alert = alert_at(84);
  alert.gpu = 1;
  alert.forecast.emplace().time_to_oom = Seconds(41.25);
  const auto record = nlohmann::json::parse(to_json(alert));
  EXPECT_EQ(record["forecast"]["time_to_oom_s"], 41.25);
  EXPECT_EQ(record["forecast"]["gpu"], 1);
  EXPECT_EQ(record["forecast"]["used_bytes"], 84_GiB);
}

TEST(ToString, NamesAlertEvents) {
  EXPECT_EQ(to_string(AlertEvent::Raised), "raised");
  EXPECT_EQ(to_string(AlertEvent::Repeated), "repeated");
  EXPECT_EQ(to_string(AlertEvent::Cleared), "cleared");
}

}  // namespace
}  // namespace dualgpuopt::memory
