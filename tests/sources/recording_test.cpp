#include "dualgpuopt/memory/sources/recording.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>

#include "sources/trace_texts.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Reading reading_at(Duration time, int gpu = 0, MemoryUse memory = MemoryUse::from_used_and_total(1_GiB, 2_GiB)) {
  Reading reading;
  reading.gpu = gpu;
  reading.time.mono = MonoTime(time);
  reading.memory = memory;
  return reading;
}

TEST(RecordingFormatter, WritesCsvThatBeginsAtZero) {
  RecordingFormatter csv(RecordingForm::Csv);
  EXPECT_EQ(csv.header({device_with_key(0, "GPU-a")}), "t_s,gpu,used_bytes,total_bytes\n");
  EXPECT_EQ(csv.line(reading_at(10s)), "0.000,0,1073741824,2147483648\n");
  EXPECT_EQ(csv.line(reading_at(11005ms, 1, MemoryUse::from_used_and_total(5, std::nullopt))), "1.005,1,5,\n");
}

TEST(RecordingFormatter, WritesOccupiedBytesInCsv) {
  RecordingFormatter csv(RecordingForm::Csv);
  const MemoryUse memory{100, 1000, 850, 50, UsedMeaning::WithoutReserved};
  EXPECT_EQ(csv.line(reading_at(0s, 0, memory)), "0.000,0,150,1000\n");
}

TEST(RecordingFormatter, LeavesAGapForAnUnavailableReadingInCsv) {
  RecordingFormatter csv(RecordingForm::Csv);
  EXPECT_EQ(csv.line(Reading::unavailable(0, {MonoTime(5s), {}}, Provenance::Driver, "lost")), "");
  EXPECT_EQ(csv.line(reading_at(6s)), "0.000,0,1073741824,2147483648\n") << "times count from the first line written";
}

TEST(RecordingFormatter, CountsAReadingFromBeforeTheFirstAsMadeWithIt) {
  RecordingFormatter csv(RecordingForm::Csv);
  EXPECT_THAT(csv.line(reading_at(10s)), HasSubstr("0.000,0"));
  EXPECT_THAT(csv.line(reading_at(9s, 1)), HasSubstr("0.000,1"));
}

TEST(RecordingFormatter, WritesOneJsonLineADeviceAndReading) {
  RecordingFormatter json(RecordingForm::JsonLines);
  const auto header = json.header({device_with_key(0, "GPU-a"), device_with_key(1, "GPU-b")});
  EXPECT_EQ(std::count(header.begin(), header.end(), '\n'), 2);
  EXPECT_THAT(header, HasSubstr("\"key\":\"GPU-b\""));
  EXPECT_THAT(json.line(reading_at(10s)), HasSubstr("\"t\":0.0,"));
  const auto lost = json.line(Reading::unavailable(0, {MonoTime(12s), {}}, Provenance::Driver, "GPU is lost"));
  EXPECT_THAT(lost, HasSubstr("\"t\":2.0,"));
  EXPECT_THAT(lost, HasSubstr("GPU is lost"));
  EXPECT_EQ(lost.back(), '\n');
}

TEST(RecordingFormatter, KeepsDevicesThroughJson) {
  const Device device{.gpu = 4,
                      .key = "MIG-1",
                      .name = "A100 \"40G\"\n",
                      .uuid = "MIG-1",
                      .pci_address = "00000000:01:00.0",
                      .parent_key = "GPU-p",
                      .vendor = Vendor::Intel,
                      .kind = DeviceKind::Integrated};
  RecordingFormatter json(RecordingForm::JsonLines);
  auto text = json.header({device});
  text += json.line(reading_at(0s, 4));
  const auto trace = parsed(text);
  ASSERT_EQ(trace.devices.size(), 1U);
  EXPECT_EQ(trace.devices[0], device);
}

// ---- what is recorded is what is replayed

Bytes any_bytes() { return *rc::gen::inRange<Bytes>(0, Bytes{1} << 62); }
std::optional<Bytes> any_optional_bytes() {
  return *rc::gen::arbitrary<bool>() ? std::optional(any_bytes()) : std::nullopt;
}
std::string any_text() { return *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127)); }

MemoryUse any_memory() {
  MemoryUse memory;
  memory.used = any_bytes();
  if (*rc::gen::arbitrary<bool>()) memory.total = any_bytes() + 1;
  memory.free = any_optional_bytes();
  memory.reserved = any_optional_bytes();
  memory.used_meaning = *rc::gen::element(UsedMeaning::WithReserved, UsedMeaning::WithoutReserved);
  return memory;
}

std::shared_ptr<const ProcessList> any_processes(MonoTime time) {
  auto list = std::make_shared<ProcessList>();
  list->time.mono = time;
  list->reason = any_text();
  const auto count = *rc::gen::inRange(0, 4);
  for (int i = 0; i < count; ++i) {
    list->entries.push_back(
        {*rc::gen::inRange<pid_t>(0, std::numeric_limits<pid_t>::max()), any_optional_bytes(), any_optional_bytes(),
         *rc::gen::element(ProcessKind::Compute, ProcessKind::Graphics, ProcessKind::ComputeAndGraphics), any_text()});
  }
  return list;
}

Reading any_reading(MonoTime time) {
  const auto gpu = *rc::gen::inRange(0, 4);
  const TimeStamp stamp{time, WallTime(1'700'000'000s + time.time_since_epoch())};
  auto reading = Reading::unavailable(gpu, stamp, Provenance::Driver, "because: " + any_text());
  if (*rc::gen::arbitrary<bool>()) {
    reading.memory = any_memory();
    reading.reason.clear();
  }
  if (*rc::gen::arbitrary<bool>()) reading.processes = any_processes(time);
  return reading;
}

RC_GTEST_PROP(Recording, GivesBackEveryReadingThroughJson, ()) {
  RecordingFormatter json(RecordingForm::JsonLines);
  std::vector<Reading> recorded;
  std::string text;
  MonoTime time(3s);
  const auto count = *rc::gen::inRange(1, 8);
  for (int i = 0; i < count; ++i) {
    recorded.push_back(any_reading(time));
    text += json.line(recorded.back());
    time += std::chrono::milliseconds(*rc::gen::inRange(0, 100'000));
  }
  const auto trace = parse_trace(text);
  RC_ASSERT(trace.has_value());
  RC_ASSERT(trace->readings.size() == recorded.size());
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    const auto& replayed = trace->readings[i];
    RC_ASSERT(replayed.gpu == recorded[i].gpu);
    RC_ASSERT(replayed.memory == recorded[i].memory);
    RC_ASSERT(replayed.reason == recorded[i].reason);
    RC_ASSERT(replayed.time.mono == recorded[i].time.mono - 3s);
    RC_ASSERT(replayed.time.wall == recorded[i].time.wall);
    RC_ASSERT(replayed.provenance == Provenance::Replayed);
    RC_ASSERT((replayed.processes == nullptr) == (recorded[i].processes == nullptr));
    if (!replayed.processes) continue;
    RC_ASSERT(replayed.processes->entries == recorded[i].processes->entries);
    RC_ASSERT(replayed.processes->reason == recorded[i].processes->reason);
    RC_ASSERT(replayed.processes->time.mono == recorded[i].processes->time.mono - 3s);
  }
}

RC_GTEST_PROP(Recording, GivesBackOccupiedMemoryThroughCsv, ()) {
  RecordingFormatter csv(RecordingForm::Csv);
  auto text = csv.header({});
  std::vector<Reading> recorded;
  const auto count = *rc::gen::inRange(1, 8);
  for (int i = 0; i < count; ++i) {
    recorded.push_back(reading_at(std::chrono::milliseconds(250 * i), i % 2, any_memory()));
    text += csv.line(recorded.back());
  }
  const auto trace = parse_trace(text);
  RC_ASSERT(trace.has_value());
  RC_ASSERT(trace->readings.size() == recorded.size());
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    RC_ASSERT(trace->readings[i].memory->used == recorded[i].memory->occupied());
    RC_ASSERT(trace->readings[i].memory->total == recorded[i].memory->total);
    RC_ASSERT(trace->readings[i].time.mono == recorded[i].time.mono);
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
