#include <gmock/gmock.h>

#include "sources/trace_texts.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Trace two_gpus() { return parsed(csv({"0,0,10,100", "1,0,11,100", "2,3,12,100", "2,0,13,100", "2,0,14,100"})); }

TEST(TraceSource, IsAReplayOfTheDevicesOfTheTrace) {
  VirtualClock clock;
  TraceSource source(two_gpus(), clock);
  EXPECT_EQ(source.name(), "trace");
  EXPECT_EQ(source.provenance(), Provenance::Replayed);
  const auto devices = source.enumerate();
  ASSERT_TRUE(devices);
  ASSERT_EQ(devices->size(), 2U);
  EXPECT_EQ((*devices)[1].gpu, 3);
  EXPECT_EQ(source.trace().readings.size(), 5U);
}

TEST(TraceSource, AnswersTheNewestReadingThatIsNotInTheFuture) {
  VirtualClock clock;
  TraceSource source(two_gpus(), clock);
  EXPECT_EQ(source.read(0, ReadDetail::Memory).memory->used, 10U);
  clock.advance(1500ms);
  const auto reading = source.read(0, ReadDetail::Memory);
  EXPECT_EQ(reading.memory->used, 11U);
  EXPECT_EQ(reading.time.mono, MonoTime(1s)) << "its own time, not the clock's";
  clock.advance(1h);
  EXPECT_EQ(source.read(0, ReadDetail::Memory).memory->used, 14U) << "of rows at one time the last";
}

TEST(TraceSource, IsUnavailableBeforeTheFirstRow) {
  VirtualClock clock;
  TraceSource source(two_gpus(), clock);
  clock.advance(1s);
  const auto early = source.read(3, ReadDetail::Memory);
  EXPECT_FALSE(early.ok());
  EXPECT_EQ(early.time.mono, MonoTime(1s));
  EXPECT_EQ(early.provenance, Provenance::Replayed);
  EXPECT_THAT(early.reason, HasSubstr("no reading of GPU 3 yet"));
  clock.advance(1s);
  EXPECT_TRUE(source.read(3, ReadDetail::Memory).ok());
}

TEST(TraceSource, IsUnavailableForAGpuThatTheTraceDoesNotHave) {
  VirtualClock clock;
  TraceSource source(two_gpus(), clock);
  for (const int gpu : {-1, 1, 4, 5000}) {
    EXPECT_THAT(source.read(gpu, ReadDetail::Memory).reason, HasSubstr("no GPU")) << gpu;
    EXPECT_EQ(source.read(gpu, ReadDetail::Memory).gpu, gpu);
  }
}

TEST(TraceSource, BringsTheNewestProcessListWhenAskedForIt) {
  auto trace = two_gpus();
  auto list = std::make_shared<ProcessList>();
  list->time.mono = MonoTime(1s);
  list->entries.emplace_back().pid = 42;
  trace.readings[1].processes = list;
  VirtualClock clock;
  TraceSource source(trace, clock);
  EXPECT_FALSE(source.read(0, ReadDetail::MemoryAndProcesses).processes) << "not recorded yet";
  clock.advance(2s);
  EXPECT_EQ(source.read(0, ReadDetail::MemoryAndProcesses).processes, list);
  EXPECT_FALSE(source.read(0, ReadDetail::Memory).processes);
  EXPECT_FALSE(source.read(3, ReadDetail::MemoryAndProcesses).processes) << "of another GPU";
}

TEST(TraceSource, ReplaysARefusalAsOne) {
  VirtualClock clock;
  TraceSource source(parsed("2024/05/06 15:45:56, 0, [GPU is lost], [GPU is lost]\n"), clock);
  EXPECT_THAT(source.read(0, ReadDetail::Memory).reason, HasSubstr("GPU is lost"));
}

TEST(TraceSource, OfAnEmptyTraceHasNoDevices) {
  VirtualClock clock;
  TraceSource source(Trace{}, clock);
  EXPECT_TRUE(source.enumerate()->empty());
  EXPECT_FALSE(source.read(0, ReadDetail::Memory).ok());
}

}  // namespace
}  // namespace dualgpuopt::memory
