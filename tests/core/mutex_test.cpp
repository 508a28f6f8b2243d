#include "dualgpuopt/memory/core/mutex.h"

#include <gtest/gtest.h>

#include <thread>

namespace dualgpuopt::memory {
namespace {

TEST(Condition, WakesAWaiterOnceItsConditionHolds) {
  Mutex mutex;
  Condition changed;
  bool ready = false;
  std::jthread setter([&] {
    const MutexLock lock(mutex);
    ready = true;
    changed.notify_one();
  });
  const MutexLock lock(mutex);
  while (!ready) changed.wait(mutex);
  EXPECT_TRUE(ready);
}

TEST(Condition, GivesUpAtItsDeadline) {
  Mutex mutex;
  Condition never;
  const MutexLock lock(mutex);
  while (never.wait_for(mutex, std::chrono::milliseconds(1))) {
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
