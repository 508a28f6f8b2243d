#include "dualgpuopt/memory/metrics/reading.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dualgpuopt::memory {
namespace {

MemoryUse driver_use(Bytes used, Bytes free, Bytes reserved) {
  return {.used = used,
          .total = reserved + used + free,
          .free = free,
          .reserved = reserved,
          .used_meaning = UsedMeaning::WithoutReserved};
}

Reading reading_with(Bytes used, ProcessList list) {
  Reading reading;
  reading.memory = MemoryUse::from_used_and_total(used, 24_GiB);
  reading.processes = std::make_shared<const ProcessList>(std::move(list));
  return reading;
}

ProcessMemory process(pid_t pid, std::optional<Bytes> used) {
  ProcessMemory process;
  process.pid = pid;
  process.used = used;
  return process;
}

TEST(MemoryUse, OccupiedContainsTheReserveWhereTheDriverKeepsItApart) {
  const auto use = driver_use(20_GiB, 3_GiB, 1_GiB);
  EXPECT_EQ(use.occupied(), 21_GiB);
  EXPECT_EQ(use.occupied_percent(), 87.5);
}

TEST(MemoryUse, IsFullWhenNothingIsFree) { EXPECT_EQ(driver_use(23_GiB, 0, 1_GiB).occupied_percent(), 100.0); }

TEST(MemoryUse, OccupiedIsUsedWhereTheRestIsNotKnown) {
  EXPECT_EQ(MemoryUse::from_used_and_total(5_GiB, std::nullopt).occupied(), 5_GiB);
  auto inconsistent = driver_use(5_GiB, 3_GiB, 0);
  inconsistent.free = 30_GiB;  // more than the total
  EXPECT_EQ(inconsistent.occupied(), 5_GiB);
}

TEST(MemoryUse, HasNoPercentWithoutATotal) {
  EXPECT_FALSE(MemoryUse::from_used_and_total(5_GiB, std::nullopt).occupied_percent());
  EXPECT_FALSE(MemoryUse::from_used_and_total(5_GiB, 0).occupied_percent());
}

TEST(MemoryUse, TakesARecordingAsItIs) {
  const auto use = MemoryUse::from_used_and_total(6_GiB, 24_GiB);
  EXPECT_EQ(use.free, 18_GiB);
  EXPECT_EQ(use.occupied_percent(), 25.0);
  EXPECT_FALSE(use.reserved);
  EXPECT_EQ(use.used_meaning, UsedMeaning::WithReserved);
  EXPECT_FALSE(MemoryUse::from_used_and_total(6_GiB, std::nullopt).free);
}

TEST(MemoryUse, KeepsAUseAboveTheTotal) {
  const auto use = MemoryUse::from_used_and_total(6_GiB, 4_GiB);
  EXPECT_EQ(use.free, 0U);
  EXPECT_EQ(use.occupied(), 6_GiB);
  EXPECT_EQ(use.occupied_percent(), 150.0);
}

TEST(ProcessList, AttributesWhatItsEntriesHold) {
  ProcessList list;
  EXPECT_EQ(list.attributed(), 0U);
  list.entries = {process(10, 3_GiB), process(11, 2_GiB)};
  EXPECT_EQ(list.attributed(), 5_GiB);
}

TEST(ProcessList, AttributesNothingWhenAnEntryOrTheListIsNotKnown) {
  ProcessList unknown_entry;
  unknown_entry.entries = {process(10, 3_GiB), process(11, std::nullopt)};
  EXPECT_FALSE(unknown_entry.attributed());
  ProcessList refused;
  refused.reason = "no permission";
  EXPECT_FALSE(refused.attributed());
}

TEST(Reading, ShowsWhatNoProcessHoldsWithItsSign) {
  ProcessList list;
  list.entries = {process(10, 3_GiB)};
  EXPECT_EQ(reading_with(4_GiB, list).unattributed(), SignedBytes{1} << 30);
  EXPECT_EQ(reading_with(2_GiB, list).unattributed(), -(SignedBytes{1} << 30));
}

TEST(Reading, HasNothingUnattributedWhereEitherSideIsNotKnown) {
  ProcessList refused;
  refused.reason = "no permission";
  EXPECT_FALSE(reading_with(4_GiB, refused).unattributed());
  auto lost = reading_with(4_GiB, {});
  lost.memory.reset();
  EXPECT_FALSE(lost.unattributed());
  auto not_asked = reading_with(4_GiB, {});
  not_asked.processes.reset();
  EXPECT_FALSE(not_asked.unattributed());
}

TEST(Reading, UnavailableHasAReasonAndNoNumbers) {
  const TimeStamp time{MonoTime(std::chrono::seconds(3)), std::nullopt};
  const auto reading = Reading::unavailable(2, time, Provenance::Simulated, "GPU is lost");
  EXPECT_FALSE(reading.ok());
  EXPECT_EQ(reading.gpu, 2);
  EXPECT_EQ(reading.time, time);
  EXPECT_EQ(reading.provenance, Provenance::Simulated);
  EXPECT_EQ(reading.reason, "GPU is lost");
}

TEST(ReadingEnums, HaveNames) {
  EXPECT_EQ(to_string(Provenance::Driver), "driver");
  EXPECT_EQ(to_string(Provenance::Simulated), "simulated");
  EXPECT_EQ(to_string(Provenance::Replayed), "replayed");
  EXPECT_EQ(to_string(DeviceStatus::Ok), "ok");
  EXPECT_EQ(to_string(DeviceStatus::Stale), "stale");
  EXPECT_EQ(to_string(DeviceStatus::Unavailable), "unavailable");
  EXPECT_EQ(to_string(UsedMeaning::WithoutReserved), "without_reserved");
  EXPECT_EQ(to_string(UsedMeaning::WithReserved), "with_reserved");
  EXPECT_EQ(to_string(ProcessKind::Compute), "compute");
  EXPECT_EQ(to_string(ProcessKind::Graphics), "graphics");
  EXPECT_EQ(to_string(ProcessKind::ComputeAndGraphics), "compute_and_graphics");
}

RC_GTEST_PROP(MemoryUse, IsFullExactlyWhenNothingIsFree, ()) {
  const auto size = [] { return *rc::gen::inRange<Bytes>(0, 1_TiB); };
  const auto use = driver_use(size() + 1, *rc::gen::element<Bytes>(0, 1, size()), size());
  const double percent = use.occupied_percent().value();
  RC_ASSERT(percent <= 100.0);
  RC_ASSERT((percent == 100.0) == (use.free == Bytes{0}));
}

}  // namespace
}  // namespace dualgpuopt::memory
