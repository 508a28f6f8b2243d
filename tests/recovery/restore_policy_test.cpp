#include "dualgpuopt/memory/recovery/restore_policy.h"

#include <gmock/gmock.h>

#include "recovery/offload_objects.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr MonoTime kNow{1h};

TEST(RestorePolicy, LeavesTheMarginUnderTheTrigger) {
  const OffloadConfig config{.trigger_percent = 75, .margin_percent = 25};  // up to 12 of 24 GiB
  EXPECT_THAT(obstacle_to_restore(state_of(8_GiB, kNow), 4_GiB, config, kNow), IsEmpty());
  EXPECT_THAT(obstacle_to_restore(state_of(9_GiB, kNow), 4_GiB, config, kNow), HasSubstr("there is room for 3.0 GiB"));
  EXPECT_THAT(obstacle_to_restore(state_of(13_GiB, kNow), 1_B, config, kNow), HasSubstr("there is room for 0 B"));
}

TEST(RestorePolicy, BelievesTheForecastWhereThereIsOne) {
  const OffloadConfig config{.trigger_percent = 75, .margin_percent = 25};
  auto state = state_of(4_GiB, kNow);
  state.forecast = Forecast{};
  state.forecast->expected_used = 9_GiB;
  EXPECT_THAT(obstacle_to_restore(state, 4_GiB, config, kNow), HasSubstr("there will be room for 3.0 GiB"));
  EXPECT_THAT(obstacle_to_restore(state, 3_GiB, config, kNow), IsEmpty());
  state.forecast->risk = 0.11;
  EXPECT_THAT(obstacle_to_restore(state, 3_GiB, config, kNow), HasSubstr("the risk of exhaustion is 0.11"));
}

TEST(RestorePolicy, TouchesNothingOnNumbersThatAreNotADriversOrOld) {
  const OffloadConfig config;
  auto state = state_of(1_GiB, kNow);
  EXPECT_THAT(obstacle_to_restore(state, 1_GiB, config, kNow + 11s), HasSubstr("old"));
  state.level = Level::Warning;
  EXPECT_THAT(obstacle_to_restore(state, 1_GiB, config, kNow), HasSubstr("the level is warning"));
  state.reading.provenance = Provenance::Simulated;
  EXPECT_THAT(obstacle_to_restore(state, 1_GiB, config, kNow), HasSubstr("simulated"));
  state.reading = reading_of(1_GiB);
  state.reading.memory->total.reset();
  EXPECT_THAT(obstacle_to_restore(state, 1_GiB, config, MonoTime{}), HasSubstr("total is not known"));
  state.reading = lost("it fell off the bus");
  EXPECT_THAT(obstacle_to_restore(state, 1_GiB, config, kNow), HasSubstr("it fell off the bus"));
}

TEST(RestoreWait, IsTwiceAsLongAfterEachReturnThatDidNotLast) {
  const OffloadConfig config{.hold_off = 1min, .soon = 5min, .longest_wait = 3min};
  RestoreWait wait;
  auto now = kNow;
  for (const auto expected : {1min, 2min, 3min, 3min}) {
    wait.on_offloaded(config, now);
    EXPECT_EQ(wait.until() - now, expected);
    now = wait.until();
    wait.on_restored(now);
    now += 4min;
  }
  now += 1min;
  wait.on_offloaded(config, now);
  EXPECT_EQ(wait.until() - now, 1min) << "it lasted";
}

TEST(RestoreWait, SoonIsAlsoSoonerThanItHadWaited) {
  const OffloadConfig config{.hold_off = 10min, .soon = 1min};
  RestoreWait wait;
  wait.on_offloaded(config, kNow);
  wait.on_restored(kNow + 10min);
  wait.on_offloaded(config, kNow + 15min);
  EXPECT_EQ(wait.until(), kNow + 35min);
}

TEST(RestoreWait, IsTwiceAsLongAfterAFailure) {
  const OffloadConfig config{.hold_off = 1min};
  RestoreWait wait;
  wait.on_offloaded(config, kNow);
  wait.on_failed(config, kNow + 1min);
  EXPECT_EQ(wait.until(), kNow + 3min);
}

TEST(OffloadConfig, NamesTheFieldThatMakesNoSense) {
  EXPECT_TRUE(OffloadConfig{}.validate());
  const std::pair<OffloadConfig, const char*> cases[] = {
      {{.trigger_percent = 0}, "trigger_percent"},
      {{.trigger_percent = 101}, "trigger_percent"},
      {{.margin_percent = 90}, "margin_percent"},
      {{.margin_percent = 0}, "margin_percent"},
      {{.calm_risk = 1.1}, "calm_risk"},
      {{.hold_off = -1s}, "hold_off"},
      {{.hold_off = 0s}, "hold_off"},
      {{.hold_off = 2h}, "hold_off"},
      {{.soon = -1s}, "soon"},
      {{.longest_wait = 25h}, "longest_wait"},
      {{.freshness = -1s}, "freshness"},
  };
  for (const auto& [config, field] : cases) {
    EXPECT_THAT(config.validate().error().describe(), HasSubstr(field));
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
