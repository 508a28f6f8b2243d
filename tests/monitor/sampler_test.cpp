#include "monitor/sampler.h"

#include <gtest/gtest.h>

#include <atomic>

#include "monitor/eventually.h"
#include "monitor/scripted_source.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

class SamplerTest : public ::testing::Test {
 protected:
  void begin(Duration interval = 10ms) {
    config_.polling = PollingConfig::fixed(interval);
    auto devices = source_->enumerate();
    engine_.emplace(*devices, Provenance::Driver, config_);
    sampler_.emplace(*engine_, source_, clock_, config_,
                     Sampler::Outlets{[this](EngineEvent event) {
                                        const MutexLock lock(mutex_);
                                        events_.push_back(std::move(event));
                                      },
                                      [this] { ++published_; }});
    sampler_->begin();
  }
  std::shared_ptr<const Snapshot> latest() { return engine_->board()->latest(); }
  DeviceStatus status_of(int gpu) {
    const auto snapshot = latest();
    return snapshot->sequence == 0 ? DeviceStatus::Unavailable : snapshot->find(gpu)->status;
  }
  std::size_t events() {
    const MutexLock lock(mutex_);
    return events_.size();
  }

  MonitorConfig config_;
  std::shared_ptr<SystemClock> clock_ = std::make_shared<SystemClock>();
  std::shared_ptr<ScriptedSource> source_ = std::make_shared<ScriptedSource>(3, *clock_);
  std::optional<Engine> engine_;
  Mutex mutex_;
  std::vector<EngineEvent> events_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::atomic<int> published_{0};
  std::optional<Sampler> sampler_;
};

TEST_F(SamplerTest, PublishesAllDevicesTogetherAgainAndAgain) {
  begin();
  ASSERT_TRUE(eventually([&] { return published_ >= 5; }));
  const auto snapshot = latest();
  ASSERT_EQ(snapshot->devices.size(), 3U);
  for (const auto& device : snapshot->devices) EXPECT_EQ(device.status, DeviceStatus::Ok);
}

TEST_F(SamplerTest, ReadsProcessesAsOftenAsItIsAsked) {
  begin(1h);
  ASSERT_TRUE(eventually([&] { return published_ >= 1; }));
  ASSERT_TRUE(latest()->find(0)->processes != nullptr);
  const auto first = latest()->find(0)->processes->time.mono;
  sampler_->set_process_interval(5ms);
  EXPECT_TRUE(eventually([&] { return latest()->find(0)->processes->time.mono > first + 10ms; }));
}

TEST_F(SamplerTest, HandsOnEventsAfterTheSnapshotThatShowsThem) {
  source_->set_used(1, 23_GiB);
  begin();
  ASSERT_TRUE(eventually([&] { return events() > 0; }));
  EXPECT_EQ(latest()->find(1)->level, Level::Emergency);
  const MutexLock lock(mutex_);
  EXPECT_EQ(events_[0].gpu, 1);
  EXPECT_TRUE(events_[0].alert && events_[0].climb);
}

TEST_F(SamplerTest, MarksAHungDeviceStaleAndReadsTheOthersOn) {
  begin();
  ASSERT_TRUE(eventually([&] { return published_ >= 2; }));
  source_->set_hanging(1);
  source_->wait_until_hanging(1);
  ASSERT_TRUE(eventually([&] { return status_of(1) == DeviceStatus::Stale; }));
  ASSERT_TRUE(eventually([&] { return status_of(0) == DeviceStatus::Ok && status_of(2) == DeviceStatus::Ok; }));
  const int before = source_->reads(0);
  ASSERT_TRUE(eventually([&] { return source_->reads(0) > before + 3; }));
  source_->release_hung();
  EXPECT_TRUE(eventually([&] { return status_of(1) == DeviceStatus::Ok; }));
}

TEST_F(SamplerTest, LooksForDevicesWhenOneFailsAndWatchesWhatIsNew) {
  begin();
  ASSERT_TRUE(eventually([&] { return published_ >= 2; }));
  EXPECT_EQ(source_->looks(), 1) << "the test's own";
  source_->add_device();
  source_->set_failure(1, "GPU is lost");
  ASSERT_TRUE(eventually([&] { return latest()->find(3) != nullptr && status_of(3) == DeviceStatus::Ok; }));
  EXPECT_EQ(status_of(1), DeviceStatus::Unavailable);
  EXPECT_EQ(latest()->find(1)->reason, "GPU is lost");
}

TEST_F(SamplerTest, ReadsOnWhileLookingForDevicesHangs) {
  begin();
  ASSERT_TRUE(eventually([&] { return published_ >= 2; }));
  source_->set_hanging_lists();
  source_->set_failure(1, "GPU is lost");
  source_->wait_until_list_hangs();
  const int before = source_->reads(0);
  EXPECT_TRUE(eventually([&] { return source_->reads(0) > before + 3; }));
  source_->release_hung();
}

TEST_F(SamplerTest, MeasuresAfreshForRecovery) {
  begin(1h);
  ASSERT_TRUE(eventually([&] { return published_ >= 1; }));
  source_->set_used(2, 7_GiB);
  const auto asked = clock_->now();
  const auto reading = sampler_->measure(2, ReadDetail::Memory);
  ASSERT_TRUE(reading.ok());
  EXPECT_EQ(reading.memory->used, 7_GiB);
  EXPECT_GE(reading.time.mono, asked);
}

TEST_F(SamplerTest, AnswersNoMeasurementAfterTheStop) {
  begin(1h);
  source_->set_hanging(0);
  std::jthread stopper([&] {
    source_->wait_for_reads(0, 1);
    sampler_->stop();
  });
  EXPECT_EQ(sampler_->measure(0, ReadDetail::Memory).reason, "the monitor is stopped");
  stopper.join();
  EXPECT_FALSE(sampler_->measure(1, ReadDetail::Memory).ok());
}

}  // namespace
}  // namespace dualgpuopt::memory
