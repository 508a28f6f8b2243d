#include "sources/nvml_session.h"

#include <gmock/gmock.h>

#include "sources/fake_nvml.h"

namespace dualgpuopt::memory::nvml {
namespace {

using namespace std::chrono_literals;
using ::testing::StartsWith;

constexpr auto kTroubled = R"(
[[gpu]]
[[gpu.event]]
at = "10s"
kind = "xid"
code = 79
[[gpu.event]]
at = "12s"
kind = "ecc_double"
[[gpu]]
[[gpu.event]]
at = "11s"
kind = "ecc_single"
)";

TEST(NvmlSession, ShutsDownWhenTheLastUserLetsGo) {
  const FakeNvml fake;
  auto session = Session::open(fake.path()).value();
  EXPECT_TRUE(session->is_ours());
  auto user = session;
  session.reset();
  EXPECT_EQ(fake.look([](NvmlFakeState& state) { return state.initialised; }), 1);
  user.reset();
  EXPECT_EQ(fake.look([](NvmlFakeState& state) { return state.initialised; }), 0);
}

TEST(NvmlSession, SaysWhyItDoesNotStart) {
  const FakeNvml fake;
  fake.force(kNvmlFakeInit, 9);
  const auto session = Session::open(fake.path());
  ASSERT_FALSE(session);
  EXPECT_THAT(session.error().describe(), StartsWith("NVML does not start: Driver Not Loaded"));
}

TEST(NvmlSession, CollectsWhatTheDriverReportsOfWatchedDevices) {
  VirtualClock clock;
  const FakeNvml fake;
  fake.use_clock(clock);
  fake.tell(kTroubled);
  const auto session = Session::open(fake.path()).value();
  const auto first = session->library().device(0).value();
  const auto second = session->library().device(1).value();
  EXPECT_TRUE(session->collect(clock.stamp()).empty()) << "nothing is watched yet";
  session->watch(first);
  session->watch(second);
  EXPECT_TRUE(session->collect(clock.stamp()).empty());
  clock.advance(20s);
  const auto events = session->collect(clock.stamp());
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].device, first);
  EXPECT_EQ(events[0].event, (DeviceEvent{clock.stamp(), DeviceEventKind::Xid, 79}));
  EXPECT_EQ(events[1].device, second);
  EXPECT_EQ(events[1].event.kind, DeviceEventKind::EccCorrected);
  EXPECT_EQ(events[2].event.kind, DeviceEventKind::EccUncorrected);
  EXPECT_TRUE(session->collect(clock.stamp()).empty()) << "told once";
  fake.use_real_time();
}

}  // namespace
}  // namespace dualgpuopt::memory::nvml
