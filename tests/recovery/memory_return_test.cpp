#include "recovery/memory_return.h"

#include <gtest/gtest.h>

#include "recovery/readings.h"

namespace dualgpuopt::memory {
namespace {

using testing::reading_of;

constexpr ProcessIdentity kVictim{10, 7};

ProcessMemory entry(pid_t pid, Bytes used, std::uint64_t start = 7) {
  return {pid, start, used, ProcessKind::Compute, "p", ProcessPresence::Alive};
}

Reading with(Bytes used, std::vector<ProcessMemory> entries) {
  auto reading = reading_of(used);
  reading.processes = std::make_shared<const ProcessList>(ProcessList{{}, std::move(entries), "", ""});
  return reading;
}

bool is_back(const Reading& after) {
  return has_come_back(4_GiB, {kVictim}, with(10_GiB, {entry(10, 4_GiB), entry(20, 6_GiB)}), after);
}

TEST(MemoryReturn, IsSeenInTheUseOfTheDevice) {
  EXPECT_TRUE(is_back(with(6_GiB, {entry(20, 6_GiB)})));
  EXPECT_FALSE(is_back(with(10_GiB, {entry(20, 6_GiB)}))) << "off the list is not back";
  EXPECT_TRUE(is_back(with(6_GiB, {entry(10, 4_GiB), entry(20, 6_GiB)}))) << "a stale entry proves nothing";
  EXPECT_TRUE(is_back(reading_of(6_GiB)));
}

TEST(MemoryReturn, IsNotHiddenByWhatOthersTake) {
  EXPECT_TRUE(is_back(with(9_GiB, {entry(20, 7_GiB), entry(30, 2_GiB)})));
}

TEST(MemoryReturn, IsNotShownByWhatOthersGive) { EXPECT_FALSE(is_back(with(7_GiB, {entry(20, 3_GiB)}))); }

TEST(MemoryReturn, ForgivesAnEighth) {
  EXPECT_TRUE(is_back(with(6_GiB + 512_MiB, {entry(20, 6_GiB)})));
  EXPECT_FALSE(is_back(with(6_GiB + 513_MiB, {entry(20, 6_GiB)})));
}

TEST(HeldBy, CountsTheVeryProcessesThatAreAlive) {
  EXPECT_EQ(held_by({kVictim}, with(0, {entry(10, 4_GiB), entry(20, 1_GiB)})), 4_GiB);
  EXPECT_EQ(held_by({kVictim}, with(0, {entry(10, 4_GiB, 8)})), 0U) << "another one with its PID";
  auto gone = entry(10, 4_GiB);
  gone.presence = ProcessPresence::Gone;
  EXPECT_EQ(held_by({kVictim}, with(0, {gone})), 0U);
  EXPECT_EQ(held_by({kVictim}, reading_of(1_GiB)), 0U);
}

}  // namespace
}  // namespace dualgpuopt::memory
