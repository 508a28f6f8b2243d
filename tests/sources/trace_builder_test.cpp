#include "sources/trace_builder.h"

#include <gmock/gmock.h>

#include "sources/trace_texts.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Reading reading_at(double seconds, int gpu, Bytes used = 1_GiB, std::optional<Bytes> total = 2_GiB) {
  Reading reading;
  reading.gpu = gpu;
  reading.time.mono = at_seconds(seconds);
  reading.memory = MemoryUse::from_used_and_total(used, total);
  return reading;
}

TraceLine line(std::size_t number, bool complete = true) { return {number, "the row", complete}; }

TEST(TraceBuilder, OrdersRowsOfSeveralGpusAndCountsFromTheEarliest) {
  TraceBuilder builder;
  ASSERT_TRUE(builder.add(reading_at(12, 0), line(1)));
  ASSERT_TRUE(builder.add(reading_at(13, 0), line(2)));
  ASSERT_TRUE(builder.add(reading_at(11, 1), line(3)));
  ASSERT_TRUE(builder.add(reading_at(12, 1), line(4)));
  const auto trace = std::move(builder).finish(TimeOrigin::FirstRow);
  ASSERT_TRUE(trace);
  std::vector<std::pair<int, MonoTime>> rows;
  for (const auto& reading : trace->readings) rows.emplace_back(reading.gpu, reading.time.mono);
  EXPECT_THAT(rows, ElementsAre(std::pair(1, MonoTime(0s)), std::pair(0, MonoTime(1s)), std::pair(1, MonoTime(1s)),
                                std::pair(0, MonoTime(2s))));
}

TEST(TraceBuilder, MovesProcessListsAlongWithTheOrigin) {
  auto list = std::make_shared<ProcessList>();
  list->time.mono = at_seconds(9);
  auto reading = reading_at(10, 0);
  reading.processes = list;
  TraceBuilder builder;
  ASSERT_TRUE(builder.add(reading, line(1)));
  const auto trace = std::move(builder).finish(TimeOrigin::FirstRow);
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->readings[0].processes->time.mono, MonoTime(-1s));
  EXPECT_EQ(list->time.mono, MonoTime(9s)) << "the list that was handed in is not ours to change";
}

TEST(TraceBuilder, RefusesTimeGoingBackOnOneGpu) {
  TraceBuilder builder;
  ASSERT_TRUE(builder.add(reading_at(2, 0), line(1)));
  ASSERT_TRUE(builder.add(reading_at(2, 0), line(2))) << "the same time again is no step back";
  const auto refused = builder.add(reading_at(1, 0), line(3));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(),
            "line 3: time goes back on GPU 0, from 2.000 s to 1.000 s: expected rows in the order of time");
}

TEST(TraceBuilder, RefusesATotalOfZero) {
  TraceBuilder builder;
  const auto refused = builder.add(reading_at(0, 3, 0, 0), line(5));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("line 5: the total of GPU 3 is 0"));
}

TEST(TraceBuilder, NoticesATotalThatWasCutOffAtTheEnd) {
  TraceBuilder builder;
  ASSERT_TRUE(builder.add(reading_at(0, 0, 1, 2048), line(1)));
  EXPECT_TRUE(builder.add(reading_at(1, 0, 1, 2048), line(2, false)));
  EXPECT_FALSE(builder.add(reading_at(2, 0, 1, 204), line(3, false)));
  EXPECT_TRUE(builder.add(reading_at(2, 0, 1, 204), line(3))) << "a complete line may change the total (MIG, ECC)";
}

TEST(TraceBuilder, KeepsUsedAboveTotalAndCountsSuchRowsInOneWarning) {
  TraceBuilder builder;
  for (std::size_t row = 2; row < 1000; ++row) {
    ASSERT_TRUE(builder.add(reading_at(static_cast<double>(row), 0, 3_GiB, 2_GiB), line(row)));
  }
  const auto trace = std::move(builder).finish(TimeOrigin::FirstRow);
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->readings[0].memory->used, 3_GiB);
  EXPECT_EQ(trace->readings[0].memory->free, 0_B);
  EXPECT_THAT(trace->warnings, ElementsAre("line 2 and 997 more: used is above total and is kept"));
}

TEST(TraceBuilder, KeepsTheFirstDescriptionOfADevice) {
  const auto first = device_with_key(2, "GPU-a");
  TraceBuilder builder;
  EXPECT_FALSE(builder.describes(2));
  builder.describe(first, line(1));
  builder.describe(first, line(2));
  builder.describe(device_with_key(2, "GPU-b"), line(3));
  EXPECT_TRUE(builder.describes(2));
  ASSERT_TRUE(builder.add(reading_at(0, 0), line(4)));
  const auto trace = std::move(builder).finish(TimeOrigin::FirstRow);
  ASSERT_TRUE(trace);
  ASSERT_EQ(trace->devices.size(), 2U);
  EXPECT_EQ(trace->devices[0].key, "trace-0") << "a GPU that nothing describes is named after the source";
  EXPECT_EQ(trace->devices[1], first);
  EXPECT_THAT(trace->warnings, ElementsAre(HasSubstr("line 3: a GPU is described again")));
}

TEST(BuildTrace, LeavesOutOnlyALastLineThatWasCutOff) {
  const LineReader reader = [](const TraceLine& row, TraceBuilder& builder) -> Result<void> {
    if (row.text == "bad") return refuse(row, row.text, "a row", "good");
    return builder.add(reading_at(0, 0), row);
  };
  EXPECT_FALSE(build_trace("good\nbad\ngood\n", TimeOrigin::AsWritten, reader));
  EXPECT_FALSE(build_trace("good\nbad\n", TimeOrigin::AsWritten, reader))
      << "with its line feed the line is complete, and wrong";
  const auto cut = build_trace("good\nbad", TimeOrigin::AsWritten, reader);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->readings.size(), 1U);
  EXPECT_THAT(cut->warnings, ElementsAre(HasSubstr("line 2 is cut off and is left out")));
  EXPECT_THAT(build_trace("good\ngood", TimeOrigin::AsWritten, reader)->warnings, IsEmpty());
}

TEST(BuildTrace, SaysWhyNothingIsLeft) {
  const LineReader refuse_all = [](const TraceLine& row, TraceBuilder&) -> Result<void> {
    return refuse(row, row.text, "a row", "good");
  };
  const auto trace = build_trace("bad", TimeOrigin::AsWritten, refuse_all);
  ASSERT_FALSE(trace);
  EXPECT_THAT(trace.error().message(), HasSubstr("no readings: line 1 is cut off"));
}

}  // namespace
}  // namespace dualgpuopt::memory
