#include "dualgpuopt/memory/alerts/call_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace dualgpuopt::memory {
namespace {

/// A gate that counts its releases.
struct CountedGate {
  std::atomic<int> releases = 0;
  CallGate gate{[this] { ++releases; }};
};

TEST(CallGate, LetsCallsInUntilItIsClosed) {
  CountedGate counted;
  EXPECT_TRUE(counted.gate.enter());
  counted.gate.close();
  EXPECT_FALSE(counted.gate.enter());
}

TEST(CallGate, ReleasesOnceAtTheCloseOfAnUnusedGate) {
  CountedGate counted;
  (void)counted.gate.enter();
  EXPECT_EQ(counted.releases, 0);
  counted.gate.close();
  EXPECT_EQ(counted.releases, 1);
  counted.gate.close();
  counted.gate.wait_for_calls();
  EXPECT_EQ(counted.releases, 1);
}

TEST(CallGate, ReleasesAtTheEndOfTheLastCall) {
  CountedGate counted;
  {
    const auto outer = counted.gate.enter();
    {
      const auto nested = counted.gate.enter();
      counted.gate.close();
    }
    EXPECT_EQ(counted.releases, 0);
  }
  EXPECT_EQ(counted.releases, 1);
}

TEST(CallGate, DoesNotWaitWithinACall) {
  CountedGate counted;
  const auto outer = counted.gate.enter();
  const auto nested = counted.gate.enter();
  counted.gate.close();
  counted.gate.wait_for_calls();
}

TEST(CallGate, WaitsForACallOnAnotherThreadAndForItsRelease) {
  CountedGate counted;
  std::latch entered(1);
  std::latch may_leave(1);
  std::atomic<bool> left = false;
  std::jthread caller([&] {
    const auto pass = counted.gate.enter();
    entered.count_down();
    may_leave.wait();
    left = true;
  });
  entered.wait();
  counted.gate.close();  // returns although the call runs
  EXPECT_FALSE(left);
  EXPECT_EQ(counted.releases, 0);
  may_leave.count_down();
  counted.gate.wait_for_calls();
  EXPECT_TRUE(left);
  EXPECT_EQ(counted.releases, 1);
}

TEST(CallGate, TheReleaseMayCloseAndWaitAgain) {
  CallGate* self = nullptr;
  CallGate gate([&] {
    self->close();
    self->wait_for_calls();
  });
  self = &gate;
  gate.close();
  EXPECT_FALSE(gate.enter());
}

}  // namespace
}  // namespace dualgpuopt::memory
