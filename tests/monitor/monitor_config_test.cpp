#include "dualgpuopt/memory/monitor/monitor_config.h"

#include <gmock/gmock.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

template <typename Change>
std::string complaint(Change change) {
  MonitorConfig config;
  change(config);
  const auto valid = config.validate();
  return valid ? "valid" : valid.error().message();
}

TEST(MonitorConfig, IsValidAsItComes) { EXPECT_TRUE(MonitorConfig{}.validate()); }

TEST(MonitorConfig, NamesTheSettingThatMakesNoSense) {
  EXPECT_THAT(complaint([](auto& c) { c.polling.shortest = 0s; }), HasSubstr("polling.shortest is 0 ms"));
  EXPECT_THAT(complaint([](auto& c) { c.polling.usual = 10s; }), HasSubstr("usual 10 s, longest 5 s"));
  EXPECT_THAT(complaint([](auto& c) { c.polling.processes = 1ms; }), HasSubstr("polling.processes"));
  EXPECT_THAT(complaint([](auto& c) { c.horizon = 0s; }), HasSubstr("horizon"));
  EXPECT_THAT(complaint([](auto& c) { c.capacity = 0; }), HasSubstr("capacity"));
  EXPECT_THAT(complaint([](auto& c) { c.thresholds.warning.percent = 99; }), HasSubstr("warning"));
  EXPECT_THAT(complaint([](auto& c) { c.ladder.target_percent = 0; }), HasSubstr("target_percent"));
}

TEST(MonitorConfig, TheTerminateRungGetsTheTimeThatItNeeds) {
  MonitorConfig config;
  const auto limit = [&] { return config.complete_ladder().time_limit_of(RecoveryStrategy::Terminate); };
  EXPECT_EQ(limit(), config.ladder.rung_time_limit) << "it is off";
  config.terminate.enabled = true;
  EXPECT_EQ(limit(), 2 * config.terminate.longest_victim());
  config.ladder.limits[RecoveryStrategy::Terminate].time_limit = 5min;
  EXPECT_EQ(limit(), 5min);
  EXPECT_TRUE(config.validate());
}

TEST(MonitorConfig, RefusesATerminateThatWouldBeCutShortOrGoUnmeasured) {
  const auto on = [](auto& c) { c.terminate.enabled = true; };
  EXPECT_THAT(complaint([&](auto& c) {
                on(c);
                c.ladder.limits[RecoveryStrategy::Terminate].time_limit = 10s;
              }),
              HasSubstr("ladder.terminate.time_limit is 10 s; one victim may take 1 min 07 s"));
  EXPECT_THAT(complaint([&](auto& c) {
                on(c);
                c.ladder.verification = Verification::Callback;
              }),
              HasSubstr("terminate.enabled"));
  EXPECT_THAT(complaint([](auto& c) { c.terminate.wait = 31s; }), HasSubstr("terminate.wait"));
}

TEST(PollingConfig, FixedKeepsOnePace) {
  const auto fixed = PollingConfig::fixed(100ms);
  EXPECT_EQ(fixed.shortest, 100ms);
  EXPECT_EQ(fixed.longest, 100ms);
  EXPECT_EQ(fixed.processes, 5s);
  EXPECT_EQ(PollingConfig::fixed(1min).processes, 1min);
}

TEST(PollingConfig, AFixedPaceLeavesTheOtherIntervals) {
  PollingConfig polling;
  polling.processes = 500ms;
  polling.rescan = 1min;
  EXPECT_EQ(polling.with_fixed_interval(200ms), (PollingConfig{200ms, 200ms, 200ms, 500ms, 1min}));
  EXPECT_EQ(polling.with_fixed_interval(20s).processes, 20s) << "never more often than memory";
}

}  // namespace
}  // namespace dualgpuopt::memory
