#include "monitor/supervised_reader.h"

#include <gtest/gtest.h>

#include "monitor/eventually.h"
#include "monitor/scripted_source.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

constexpr ReadDeadlines kImpatient{1ms, 5ms};
constexpr ReadDeadlines kPatient{1h, 1h};

class SupervisedReaderTest : public ::testing::Test {
 protected:
  /// Everything that arrives until there are `count` readings.
  std::vector<Reading> collect(std::size_t count) {
    std::vector<Reading> all;
    EXPECT_TRUE(eventually([&] {
      for (auto& reading : reader_->collect()) all.push_back(std::move(reading));
      return all.size() >= count;
    }));
    return all;
  }
  /// Makes a call of this device hang and has the reader give it up.
  void hang(int gpu) {
    source_->set_hanging(gpu);
    reader_->request(gpu, ReadDetail::Memory);
    source_->wait_until_hanging(gpu);
    EXPECT_TRUE(eventually([&] {
      for (const auto& call : reader_->supervise(kImpatient)) {
        if (call.gpu == gpu) return true;
      }
      return false;
    }));
  }

  std::shared_ptr<VirtualClock> clock_ = std::make_shared<VirtualClock>();
  std::shared_ptr<ScriptedSource> source_ = std::make_shared<ScriptedSource>(6, *clock_);
  std::unique_ptr<SupervisedReader> reader_ = std::make_unique<SupervisedReader>(source_, clock_);
};

TEST_F(SupervisedReaderTest, ReadsInTheOrderOfTheRequests) {
  reader_->request(2, ReadDetail::Memory);
  reader_->request(0, ReadDetail::MemoryAndProcesses);
  const auto readings = collect(2);
  EXPECT_EQ(readings[0].gpu, 2);
  EXPECT_EQ(readings[1].gpu, 0);
  EXPECT_TRUE(readings[1].processes);
}

TEST_F(SupervisedReaderTest, WaitEndsWhenTheRoundIsComplete) {
  for (int gpu = 0; gpu < 6; ++gpu) reader_->request(gpu, ReadDetail::Memory);
  reader_->wait_until(std::chrono::steady_clock::now() + 1h);
  EXPECT_EQ(reader_->collect().size(), 6U);
}

TEST_F(SupervisedReaderTest, WaitEndsWhenPoked) {
  reader_->poke();
  reader_->wait_until(std::chrono::steady_clock::now() + 1h);
  reader_->wait_until(std::chrono::steady_clock::now());
}

TEST_F(SupervisedReaderTest, AsksADeviceOnlyOnceAtATime) {
  source_->set_hanging(0);
  for (int i = 0; i < 5; ++i) reader_->request(0, ReadDetail::Memory);
  source_->wait_until_hanging(0);
  reader_->request(0, ReadDetail::Memory);
  source_->release_hung();
  EXPECT_EQ(collect(1).size(), 1U);
  EXPECT_EQ(source_->reads(0), 1);
}

TEST_F(SupervisedReaderTest, GoesOnWithTheOthersWhileOneHangs) {
  hang(1);
  for (int gpu = 0; gpu < 6; ++gpu) reader_->request(gpu, ReadDetail::Memory);
  for (const auto& reading : collect(5)) EXPECT_NE(reading.gpu, 1);
  EXPECT_EQ(source_->reads(1), 1);
}

TEST_F(SupervisedReaderTest, TakesADeviceBackWhenItsCallReturns) {
  hang(1);
  source_->release_hung();
  EXPECT_EQ(collect(1)[0].gpu, 1);
  EXPECT_TRUE(reader_->supervise(kPatient).empty());
  reader_->request(1, ReadDetail::Memory);
  EXPECT_EQ(collect(1)[0].gpu, 1);
}

TEST_F(SupervisedReaderTest, LeavesOnlySoManyThreadsBehind) {
  for (int gpu = 0; gpu < SupervisedReader::kMostThreads; ++gpu) hang(gpu);
  reader_->request(5, ReadDetail::Memory);
  EXPECT_EQ(reader_->supervise(kImpatient).size(), static_cast<std::size_t>(SupervisedReader::kMostThreads));
  EXPECT_TRUE(reader_->collect().empty());
  EXPECT_EQ(source_->reads(5), 0);
  source_->release_hung();
  EXPECT_EQ(collect(5).size(), 5U);  // a thread that came back serves on
}

TEST_F(SupervisedReaderTest, EndsWhileACallHangsAndKeepsTheSourceForIt) {
  hang(0);
  const std::weak_ptr<ScriptedSource> source = source_;
  auto* raw = source_.get();
  source_.reset();
  reader_.reset();
  ASSERT_FALSE(source.expired());
  raw->release_hung();
  EXPECT_TRUE(eventually([&] { return source.expired(); }));
}

TEST_F(SupervisedReaderTest, DestroysAnIdleSourceBeforeItsEnd) {
  const std::weak_ptr<ScriptedSource> source = source_;
  source_.reset();
  reader_->request(0, ReadDetail::Memory);
  reader_.reset();
  EXPECT_TRUE(source.expired());
}

TEST_F(SupervisedReaderTest, SurvivesASourceThatThrows) {
  source_->set_throwing(0);
  reader_->request(0, ReadDetail::Memory);
  EXPECT_EQ(collect(1)[0].reason, "the source failed: the script says so");
}

TEST(ReadDeadlines, GrowWithTheIntervalFromALeastOn) {
  EXPECT_EQ(ReadDeadlines::for_interval(4s).hand_over, 3s);
  EXPECT_EQ(ReadDeadlines::for_interval(4s).give_up, 12s);
  EXPECT_EQ(ReadDeadlines::for_interval(10ms).hand_over, 300ms);
  EXPECT_EQ(ReadDeadlines::for_interval(10ms).give_up, 1s);
}

}  // namespace
}  // namespace dualgpuopt::memory
