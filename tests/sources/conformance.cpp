#include "sources/conformance.h"

#include <map>
#include <set>
#include <thread>

namespace dualgpuopt::memory {

using namespace std::chrono_literals;

void MemorySourceConformance::SetUp() {
  source_ = GetParam().open(clock_);
  ASSERT_NE(source_, nullptr);
  ASSERT_FALSE(devices().empty()) << "a source without a device proves nothing";
}

std::vector<Device> MemorySourceConformance::devices() const {
  auto found = source_->enumerate();
  EXPECT_TRUE(found) << found.error().describe();
  return found.value_or(std::vector<Device>{});
}

void MemorySourceConformance::for_each_reading(ReadDetail detail, const std::function<void(const Reading&)>& check) {
  const auto all = devices();
  for (const Duration moment : std::initializer_list<Duration>{0s, 1ms, 1s, 1500ms, 30s, 90s, 1h, 720h}) {
    clock_.advance_to(MonoTime(moment));
    for (const auto& device : all) check(source_->read(device.gpu, detail));
  }
}

namespace {

/// Calls `work` on another thread and waits for it: calls come one at a time, not always from one thread.
void on_another_thread(const std::function<void()>& work) { std::jthread{work}.join(); }

void expect_same(const Reading& a, const Reading& b) {
  EXPECT_EQ(a.gpu, b.gpu);
  EXPECT_EQ(a.time, b.time);
  EXPECT_EQ(a.memory, b.memory);
  EXPECT_EQ(a.reason, b.reason);
}

TEST_P(MemorySourceConformance, SaysWhatItIs) {
  EXPECT_EQ(source_->name(), GetParam().name);
  EXPECT_EQ(source_->provenance(), GetParam().provenance);
}

TEST_P(MemorySourceConformance, ListsDevicesInTheOrderOfTheirIndex) {
  int previous = -1;
  for (const auto& device : devices()) {
    EXPECT_GT(device.gpu, previous);
    previous = device.gpu;
  }
}

TEST_P(MemorySourceConformance, GivesEachDeviceAKeyOfItsOwn) {
  std::set<std::string> keys;
  for (const auto& device : devices()) {
    EXPECT_FALSE(device.key.empty());
    EXPECT_TRUE(keys.insert(device.key).second) << device.key << " is there twice";
  }
}

TEST_P(MemorySourceConformance, EnumeratesTheSameAgain) {
  const auto first = devices();
  EXPECT_EQ(first, devices());
  for_each_reading(ReadDetail::Memory, [](const Reading&) {});
  EXPECT_EQ(first, devices());
}

TEST_P(MemorySourceConformance, AnswersAnUnknownIndexWithAReason) {
  const auto beyond = devices().back().gpu + 1;
  for (const int gpu : {-1, beyond, 1'000'000}) {
    for (const auto detail : {ReadDetail::Memory, ReadDetail::MemoryAndProcesses}) {
      const auto reading = source_->read(gpu, detail);
      EXPECT_FALSE(reading.ok()) << gpu;
      EXPECT_FALSE(reading.reason.empty()) << gpu;
      EXPECT_EQ(reading.gpu, gpu);
      EXPECT_EQ(reading.provenance, GetParam().provenance);
    }
  }
}

TEST_P(MemorySourceConformance, GivesNumbersOrAReasonAndNeverBoth) {
  for_each_reading(ReadDetail::MemoryAndProcesses,
                   [](const Reading& reading) { EXPECT_NE(reading.ok(), !reading.reason.empty()); });
}

TEST_P(MemorySourceConformance, ReadsEveryDeviceAtSomeTime) {
  std::set<int> read;
  for_each_reading(ReadDetail::Memory, [&](const Reading& reading) {
    if (reading.ok()) read.insert(reading.gpu);
  });
  EXPECT_EQ(read.size(), devices().size());
}

TEST_P(MemorySourceConformance, LabelsEveryReading) {
  const auto all = devices();
  std::size_t next = 0;
  for_each_reading(ReadDetail::Memory, [&](const Reading& reading) {
    EXPECT_EQ(reading.gpu, all[next++ % all.size()].gpu);
    EXPECT_EQ(reading.provenance, GetParam().provenance);
  });
}

TEST_P(MemorySourceConformance, StampsByItsClock) {
  const bool recorded = GetParam().provenance == Provenance::Replayed;
  std::map<int, MonoTime> newest;
  for_each_reading(ReadDetail::Memory, [&](const Reading& reading) {
    EXPECT_LE(reading.time.mono, clock_.now());
    if (!recorded) {
      EXPECT_EQ(reading.time, clock_.stamp());
    }
    EXPECT_GE(reading.time.mono, newest[reading.gpu]) << "time goes back on GPU " << reading.gpu;
    newest[reading.gpu] = reading.time.mono;
  });
}

TEST_P(MemorySourceConformance, AccountsForAllMemory) {
  for_each_reading(ReadDetail::Memory, [](const Reading& reading) {
    if (!reading.ok()) return;
    const auto& memory = *reading.memory;
    EXPECT_NE(memory.total, Bytes{0}) << "a total that is not known is empty, not 0";
    if (memory.used_meaning == UsedMeaning::WithReserved || !memory.total || !memory.free || !memory.reserved) return;
    EXPECT_EQ(memory.used + *memory.free + *memory.reserved, *memory.total);
  });
}

TEST_P(MemorySourceConformance, GivesProcessesWhenAskedWhereItHasThem) {
  const bool recorded = GetParam().provenance == Provenance::Replayed;  // then it may have been made without them
  for_each_reading(ReadDetail::MemoryAndProcesses, [&](const Reading& reading) {
    if (!reading.ok() || (recorded && reading.processes == nullptr)) return;
    ASSERT_NE(reading.processes, nullptr);
    EXPECT_TRUE(reading.processes->reason.empty() || reading.processes->entries.empty());
    EXPECT_LE(reading.processes->time.mono, clock_.now());
    for (const auto& entry : reading.processes->entries) EXPECT_GT(entry.pid, 0);
  });
}

TEST_P(MemorySourceConformance, AnswersOneThreadAfterAnother) {
  clock_.advance(45s);
  const auto gpu = devices().front().gpu;
  const auto here = source_->read(gpu, ReadDetail::Memory);
  Reading there;
  on_another_thread([&] { there = source_->read(gpu, ReadDetail::Memory); });
  expect_same(here, there);
  on_another_thread([&] { EXPECT_EQ(devices().front().gpu, gpu); });
  expect_same(here, source_->read(gpu, ReadDetail::Memory));
}

}  // namespace
}  // namespace dualgpuopt::memory
