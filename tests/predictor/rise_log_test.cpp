#include "dualgpuopt/memory/predictor/rise_log.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

constexpr Duration kWindow = 10s;

/// One sample a second for so many seconds; `used_at` gives the bytes of each.
template <typename Function>
void feed(RiseLog& log, int from, int to, Function used_at) {
  for (int second = from; second < to; ++second) {
    (void)log.add(MonoTime(std::chrono::seconds(second)), used_at(second), kWindow);
  }
}

TEST(RiseLog, SaysNothingBeforeItHasSeenEnough) {
  RiseLog log;
  feed(log, 0, 200, [](int) { return 8_GiB; });
  EXPECT_FALSE(log.usual_most()) << "the twentieth window ends with the sample at 200 s";
  feed(log, 200, 220, [](int) { return 8_GiB; });
  EXPECT_EQ(log.usual_most(), Bytes{0});
}

TEST(RiseLog, TellsWhenAWindowEnds) {
  RiseLog log;
  EXPECT_FALSE(log.add(MonoTime(0s), 1_GiB, kWindow));
  EXPECT_FALSE(log.add(MonoTime(9s), 1_GiB, kWindow));
  EXPECT_TRUE(log.add(MonoTime(10s), 1_GiB, kWindow));
  EXPECT_FALSE(log.add(MonoTime(10s), 1_GiB, kWindow)) << "no time has passed";
}

TEST(RiseLog, FindsTheUsualStep) {
  RiseLog log;
  feed(log, 0, 600, [](int second) { return static_cast<Bytes>(second / 10) * 100_MiB; });
  ASSERT_TRUE(log.usual_most());
  EXPECT_GE(*log.usual_most(), 100_MiB);
  EXPECT_LE(*log.usual_most(), 119_MiB);
}

TEST(RiseLog, LeavesOutWhatIsRarerThanOneInFifty) {
  const auto with_a_step_every = [](int seconds) {
    RiseLog log;
    feed(log, 0, 6000, [&](int second) { return 8_GiB + static_cast<Bytes>(second / seconds) * 1_GiB; });
    return *log.usual_most();
  };
  EXPECT_EQ(with_a_step_every(1000), Bytes{0});
  EXPECT_GE(with_a_step_every(200), 1_GiB);
}

TEST(RiseLog, TakesNoSwingUnderThePeakForARise) {
  RiseLog log;
  feed(log, 0, 3600, [](int second) { return second % 60 < 20 ? 60_GiB : 10_GiB; });
  EXPECT_EQ(log.usual_most(), Bytes{0});
}

TEST(RiseLog, ForgetsAfterHours) {
  RiseLog log;
  feed(log, 0, 3600, [](int second) { return static_cast<Bytes>(second) * 10_MiB; });
  EXPECT_GE(*log.usual_most(), 100_MiB);
  feed(log, 3600, 3600 * 10, [](int) { return 36_GiB; });
  EXPECT_EQ(log.usual_most(), Bytes{0});
}

TEST(RiseLog, LooksAwayFromGaps) {
  RiseLog log;
  feed(log, 0, 600, [](int) { return 8_GiB; });
  EXPECT_FALSE(log.add(MonoTime(700s), 70_GiB, kWindow));
  feed(log, 701, 900, [](int) { return 70_GiB; });
  EXPECT_EQ(log.usual_most(), Bytes{0});
}

}  // namespace
}  // namespace dualgpuopt::memory
