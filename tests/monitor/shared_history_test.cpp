#include "monitor/shared_history.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace dualgpuopt::memory {
namespace {

TEST(SharedHistory, NeverHoldsTheSamplerUpAndLosesNothing) {
  constexpr int kSamples = 200;  // fewer than are set aside at most, should somebody look all the time
  SharedHistory history;
  std::atomic<bool> done{false};
  std::jthread looking([&] {
    while (!done) (void)history.points(HistoryTier::Second, MonoTime::min());
  });
  for (int second = 1; second < kSamples; ++second) history.add(MonoTime(std::chrono::seconds(second)), 1_GiB);
  done = true;
  looking.join();
  history.add(MonoTime(std::chrono::seconds(kSamples)), 1_GiB);
  EXPECT_EQ(history.points(HistoryTier::Second, MonoTime::min()).size(), static_cast<std::size_t>(kSamples));
}

}  // namespace
}  // namespace dualgpuopt::memory
