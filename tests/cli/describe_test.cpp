#include "cli/describe.h"

#include <gtest/gtest.h>

#include "cli/snapshots.h"

namespace dualgpuopt::memory::cli {
namespace {

TEST(Describe, ADeviceInOneLine) {
  auto snapshot = snapshot_of({device_running_out(1, 22_GiB, 70)}, Provenance::Replayed);
  EXPECT_EQ(
      describe_device(snapshot.devices[0], ByteUnit::Auto),
      "t=12.500  GPU 1  22.0 / 24.0 GiB (91.7%)  critical  +12 MiB/s  out of memory: in 1 min 10 s (35 s to 1 min "
      "45 s): grows by 12 MiB/s  REPLAYED");
  snapshot = snapshot_of({unavailable_device(0, "GPU is lost")});
  EXPECT_EQ(describe_device(snapshot.devices[0], ByteUnit::Auto), "t=12.500  GPU 0  unavailable: GPU is lost");
  snapshot = snapshot_of({device_at(0, 9_GiB)});
  snapshot.devices[0].status = DeviceStatus::Stale;
  snapshot.devices[0].reason = "no reading for 4 s";
  EXPECT_EQ(describe_device(snapshot.devices[0], ByteUnit::MiB),
            "t=12.500  GPU 0  9216 / 24576 MiB (37.5%)  normal  stale: no reading for 4 s");
}

TEST(Describe, TimeToOom) {
  std::optional<Forecast> forecast;
  EXPECT_EQ(describe_time_to_oom(forecast), "");
  forecast.emplace();
  EXPECT_EQ(describe_time_to_oom(forecast), "");  // no known capacity
  forecast->risk = 0.5;
  EXPECT_EQ(describe_time_to_oom(forecast), "none foreseen");
  forecast->time_to_oom = Seconds(41);
  forecast->time_to_oom_low = Seconds(20);
  EXPECT_EQ(describe_time_to_oom(forecast), "in 41 s (20 s or later)");
  forecast->time_to_oom = Seconds(0);
  EXPECT_EQ(describe_time_to_oom(forecast), "now");
}

TEST(Describe, Trend) {
  std::optional<Forecast> forecast;
  EXPECT_EQ(describe_trend(forecast), "");
  forecast.emplace();
  EXPECT_EQ(describe_trend(forecast), "steady");
  forecast->slope_bytes_per_second = -3.0 * (1 << 20);
  EXPECT_EQ(describe_trend(forecast), "-3 MiB/s");
}

TEST(Describe, AlertsAndDecisionsWithTheirLabel) {
  MemoryAlert alert;
  alert.gpu = 1;
  alert.message = alert_message(AlertEvent::Raised, Level::Warning, Level::Warning, 1);
  alert.used_percent = 84;
  alert.threshold.percent = 80;
  alert.provenance = Provenance::Simulated;
  EXPECT_EQ(describe_alert(alert),
            "t=0.000  raised  [GPU 1] WARNING: Memory usage on GPU 1 is high (84.0% > 80.0%)  SIMULATED");
  Decision decision;
  decision.id = 3;
  decision.reason = "because";
  EXPECT_EQ(describe_decision(decision), "t=0.000  decision 3  [GPU 0] because");
}

TEST(Describe, AmountsInOneUnit) {
  EXPECT_EQ(describe_use(MemoryUse::from_used_and_total(512_MiB, 24_GiB), ByteUnit::Auto), "0.5 / 24.0 GiB");
  EXPECT_EQ(describe_use(MemoryUse::from_used_and_total(512_MiB, std::nullopt), ByteUnit::Auto), "512 MiB");
}

}  // namespace
}  // namespace dualgpuopt::memory::cli
