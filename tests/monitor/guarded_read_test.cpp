#include "monitor/guarded_read.h"

#include <gtest/gtest.h>

#include "monitor/scripted_source.h"

namespace dualgpuopt::memory {
namespace {

TEST(GuardedRead, TurnsAnExceptionIntoAReason) {
  VirtualClock clock;
  ScriptedSource source(1, clock);
  EXPECT_TRUE(guarded_read(source, 0, ReadDetail::Memory, clock).ok());
  source.set_throwing(0);
  const auto reading = guarded_read(source, 0, ReadDetail::Memory, clock);
  EXPECT_FALSE(reading.ok());
  EXPECT_EQ(reading.reason, "the source failed: the script says so");
  EXPECT_EQ(reading.provenance, Provenance::Driver);
}

TEST(GuardedEnumerate, TurnsAnExceptionIntoAnError) {
  VirtualClock clock;
  ScriptedSource source(2, clock);
  EXPECT_EQ(guarded_enumerate(source)->size(), 2U);
  source.set_throwing_lists();
  const auto devices = guarded_enumerate(source);
  ASSERT_FALSE(devices);
  EXPECT_EQ(devices.error().message(), "the source failed: the script says so");
}

}  // namespace
}  // namespace dualgpuopt::memory
