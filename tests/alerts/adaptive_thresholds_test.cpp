#include "dualgpuopt/memory/alerts/adaptive_thresholds.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

Headrooms all_of(Bytes rise) { return {Headroom{rise, 70s}, Headroom{rise, 20s}, Headroom{rise, 10s}}; }

TEST(AdaptiveThresholds, LeaveTheRoomThatTheDeviceNeeds) {
  const AlertThresholds configured;
  const auto adapted = adapt(configured, {Headroom{20_GiB, 70s}, Headroom{16_GiB, 20s}, Headroom{8_GiB, 10s}}, 80_GiB);
  EXPECT_DOUBLE_EQ(adapted.warning.percent, 75);
  EXPECT_DOUBLE_EQ(adapted.critical.percent, 80);
  EXPECT_DOUBLE_EQ(adapted.emergency.percent, 90);
  EXPECT_TRUE(adapted.validate());
}

TEST(AdaptiveThresholds, StayWithinTheirRanges) {
  const AlertThresholds configured;
  const auto calm = adapt(configured, all_of(0), 80_GiB);
  EXPECT_EQ(calm.warning.percent, configured.warning.range.highest);
  EXPECT_EQ(calm.critical.percent, configured.critical.range.highest);
  EXPECT_EQ(calm.emergency.percent, configured.emergency.range.highest);
  const auto wild = adapt(configured, all_of(100_GiB), 80_GiB);
  EXPECT_EQ(wild.warning.percent, configured.warning.range.lowest);
  EXPECT_EQ(wild.critical.percent, configured.critical.range.lowest);
  EXPECT_EQ(wild.emergency.percent, configured.emergency.range.lowest);
}

TEST(AdaptiveThresholds, StayAsConfiguredWhereNothingIsKnown) {
  const AlertThresholds configured;
  EXPECT_EQ(adapt(configured, {}, 80_GiB), configured);
  EXPECT_EQ(adapt(configured, all_of(8_GiB), 0), configured) << "no total";
}

TEST(AdaptiveThresholds, NeverBeginAboveAHigherLevel) {
  const auto adapted = adapt({}, {std::nullopt, std::nullopt, Headroom{11_GiB, 10s}}, 80_GiB);
  EXPECT_DOUBLE_EQ(adapted.emergency.percent, 86.25);
  EXPECT_DOUBLE_EQ(adapted.critical.percent, 86.25) << "configured at 90 %";
  EXPECT_DOUBLE_EQ(adapted.warning.percent, 80);
}

TEST(AdaptiveThresholds, GiveRecoveryItsTime) {
  EXPECT_EQ(reaction_times(10s, 60s), (std::array<Duration, 3>{70s, 20s, 10s}));
  EXPECT_EQ(reaction_times(90s, 60s), (std::array<Duration, 3>{180s, 180s, 90s}));
  EXPECT_EQ(reaction_times(0s, 60s), (std::array<Duration, 3>{61s, 2s, 1s})) << "no less than a second";
}

TEST(AdaptiveThresholds, ExplainThemselves) {
  const AlertThresholds configured;
  const auto headrooms = all_of(20_GiB);
  const auto learned = learned_thresholds(configured, adapt(configured, headrooms, 80_GiB), headrooms);
  ASSERT_EQ(learned.size(), 3U);
  EXPECT_EQ(learned[0].text(),
            "warning from 75.0% (80.0%): within 1 min 10 s use rises by up to 20.0 GiB above its peak");
  EXPECT_EQ(
      to_json(learned[0], 1, {MonoTime(5s), {}}, Provenance::Replayed),
      R"({"schema":1,"type":"threshold","t":5.0,"time":null,"gpu":1,"provenance":"replayed","level":"warning","percent":75.0,)"
      R"("configured_percent":80.0,"rise_bytes":21474836480,"within_s":70.0,"text":"warning from 75.0% (80.0%): )"
      R"(within 1 min 10 s use rises by up to 20.0 GiB above its peak"})");
}

}  // namespace
}  // namespace dualgpuopt::memory
