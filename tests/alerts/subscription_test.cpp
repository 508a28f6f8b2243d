#include "dualgpuopt/memory/alerts/subscription.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(Subscription, CancelsOnceWhenItIsDestroyed) {
  int cancelled = 0;
  {
    Subscription subscription([&] { ++cancelled; });
    subscription.cancel();
    EXPECT_EQ(cancelled, 1);
  }
  EXPECT_EQ(cancelled, 1);
}

TEST(Subscription, MovingHandsTheRegistrationOn) {
  int cancelled = 0;
  Subscription first([&] { ++cancelled; });
  Subscription second(std::move(first));
  first.cancel();  // NOLINT(bugprone-use-after-move): an empty one may be cancelled
  EXPECT_EQ(cancelled, 0);
  second = Subscription([&] { cancelled += 10; });
  EXPECT_EQ(cancelled, 1);
  second = Subscription();
  EXPECT_EQ(cancelled, 11);
}

TEST(Subscription, ReleaseLeavesTheCallbackRegistered) {
  int cancelled = 0;
  {
    Subscription subscription([&] { ++cancelled; });
    subscription.release();
  }
  EXPECT_EQ(cancelled, 0);
}

}  // namespace
}  // namespace dualgpuopt::memory
