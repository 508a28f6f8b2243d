#include "dualgpuopt/memory/core/clock.h"

#include <gtest/gtest.h>

#include <thread>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

TEST(VirtualClock, MovesOnlyForwardAndOnlyWhenTold) {
  VirtualClock clock;
  EXPECT_EQ(seconds_since_origin(clock.now()), 0.0);
  clock.advance(1500ms);
  clock.advance_to(MonoTime(1s));
  EXPECT_EQ(seconds_since_origin(clock.now()), 1.5);
  EXPECT_FALSE(clock.wall_now());
}

TEST(VirtualClock, SleepsByJumping) {
  VirtualClock clock;
  EXPECT_TRUE(clock.sleep_until(MonoTime(1h), {}));
  EXPECT_EQ(clock.now(), MonoTime(1h));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(clock.sleep_until(MonoTime(2h), stop.get_token()));
  EXPECT_EQ(clock.now(), MonoTime(1h));
}

TEST(SystemClock, WakesFromSleepWhenStopIsRequested) {
  SystemClock clock;
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(clock.sleep_until(clock.now() + 1h, stop.get_token()));
  EXPECT_TRUE(clock.sleep_until(clock.now(), {}));
  EXPECT_TRUE(clock.wall_now());
}

TEST(FormatWallTime, IsRfc3339InUtc) {
  EXPECT_EQ(format_wall_time(WallTime(1'700'000'000'250ms)), "2023-11-14T22:13:20.250Z");
  EXPECT_EQ(format_wall_time(WallTime(-250ms)), "1969-12-31T23:59:59.750Z");
}

}  // namespace
}  // namespace dualgpuopt::memory
