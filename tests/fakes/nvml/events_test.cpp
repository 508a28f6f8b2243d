#include <thread>

#include "fakes/nvml/client.h"

namespace nvml_fake {
namespace {

using namespace std::chrono_literals;

constexpr auto kTroubled = R"(
[[gpu]]
[[gpu.event]]
at = "10s"
kind = "xid"
code = 31
[[gpu.event]]
at = "12s"
kind = "ecc_double"
[[gpu]]
[[gpu.event]]
at = "11s"
kind = "ecc_single"
[[fault]]
kind = "lost"
at = "60s"
gpu = 1
)";

class Events : public ::testing::Test {
 protected:
  Events() {
    EXPECT_EQ(client_.call("nvmlEventSetCreate", &set_), kSuccess);
    for (unsigned gpu = 0; gpu < 2; ++gpu) {
      EXPECT_EQ(client_.call("nvmlDeviceRegisterEvents", client_.gpu(gpu), 0x8ULL | 0x2ULL | 0x1ULL, set_), kSuccess);
    }
  }
  int wait(EventData& data) { return client_.call("nvmlEventSetWait_v2", set_, &data, 0U); }

  Client client_{kTroubled};
  void* set_ = nullptr;
};

TEST_F(Events, ComeInTheirOrderAndOnce) {
  EventData data{};
  EXPECT_EQ(wait(data), kTimeout);
  client_.clock.advance(11s);
  ASSERT_EQ(wait(data), kSuccess);
  EXPECT_EQ(data.device, client_.gpu(0));
  EXPECT_EQ(data.type, kEventXid);
  EXPECT_EQ(data.data, 31U);
  EXPECT_EQ(data.gpu_instance, kNoInstance);
  ASSERT_EQ(wait(data), kSuccess);
  EXPECT_EQ(data.device, client_.gpu(1));
  EXPECT_EQ(data.type, kEventEccCorrected);
  EXPECT_EQ(wait(data), kTimeout);
  client_.clock.advance(1s);
  ASSERT_EQ(wait(data), kSuccess);
  EXPECT_EQ(data.type, kEventEccUncorrected);
}

TEST_F(Events, FillTheOldStructNoFurtherThanItGoes) {
  client_.clock.advance(10s);
  EventData data{nullptr, 0, 0, 77, 78};
  ASSERT_EQ(client_.call("nvmlEventSetWait", set_, &data, 0U), kSuccess);
  EXPECT_EQ(data.data, 31U);
  EXPECT_EQ(data.gpu_instance, 77U);
}

TEST_F(Events, AreWaitedForInTheClientsTime) {
  std::jthread world([&] {
    while (client_.fake.calls_of("nvmlEventSetWait_v2") == 0) std::this_thread::yield();
    client_.clock.advance(10s);
  });
  EventData data{};
  EXPECT_EQ(client_.call("nvmlEventSetWait_v2", set_, &data, 60'000U), kSuccess);
  EXPECT_EQ(data.data, 31U);
}

TEST_F(Events, TimeOutWhenTheTimeIsOver) {
  std::jthread world([&] {
    while (client_.fake.calls_of("nvmlEventSetWait_v2") == 0) std::this_thread::yield();
    client_.clock.advance(5s);
  });
  EventData data{};
  EXPECT_EQ(client_.call("nvmlEventSetWait_v2", set_, &data, 5'000U), kTimeout);
}

TEST_F(Events, EndWithALostGpu) {
  client_.clock.advance(60s);
  EventData data{};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(data), kSuccess) << "what happened before is told first";
  EXPECT_EQ(wait(data), kGpuIsLost);
}

TEST_F(Events, BeforeTheRegistrationAreNotTold) {
  client_.clock.advance(10s);
  void* late = nullptr;
  EXPECT_EQ(client_.call("nvmlEventSetCreate", &late), kSuccess);
  EXPECT_EQ(client_.call("nvmlDeviceRegisterEvents", client_.gpu(0), 0x8ULL, late), kSuccess);
  EventData data{};
  EXPECT_EQ(client_.call("nvmlEventSetWait_v2", late, &data, 0U), kTimeout);
  client_.clock.advance(10s);
  EXPECT_EQ(client_.call("nvmlEventSetWait_v2", late, &data, 0U), kTimeout) << "nor those of other kinds";
  EXPECT_EQ(client_.call("nvmlEventSetFree", late), kSuccess);
  EXPECT_EQ(client_.call("nvmlEventSetFree", late), kInvalidArgument);
  EXPECT_EQ(client_.call("nvmlEventSetWait_v2", late, &data, 0U), kInvalidArgument);
}

TEST_F(Events, OfUnknownKindsAreNotSupported) {
  EXPECT_EQ(client_.call("nvmlDeviceRegisterEvents", client_.gpu(0), 0x1000ULL, set_), kNotSupported);
  EXPECT_EQ(client_.call("nvmlDeviceRegisterEvents", client_.gpu(0), 0x8ULL, static_cast<void*>(nullptr)),
            kInvalidArgument);
}

TEST_F(Events, ThatATestPutsIntoTheStateAreTold) {
  client_.fake.change([](NvmlFakeState& state) {
    state.events[state.event_count++ % kNvmlFakeEvents] = {1, kEventXid, 94, 3, 0};
  });
  EventData data{};
  ASSERT_EQ(wait(data), kSuccess);
  EXPECT_EQ(data.device, client_.gpu(1));
  EXPECT_EQ(data.data, 94U);
  EXPECT_EQ(data.gpu_instance, 3U);
}

TEST_F(Events, AreCountedAsEccErrors) {
  client_.clock.advance(20s);
  unsigned long long errors = 9;
  EXPECT_EQ(client_.call("nvmlDeviceGetTotalEccErrors", client_.gpu(0), 1U, 0U, &errors), kSuccess);
  EXPECT_EQ(errors, 1U);
  EXPECT_EQ(client_.call("nvmlDeviceGetTotalEccErrors", client_.gpu(0), 0U, 0U, &errors), kSuccess);
  EXPECT_EQ(errors, 0U);
  FieldValue values[2] = {};
  values[0].field = 4;
  values[1].field = 9999;
  EXPECT_EQ(client_.call("nvmlDeviceGetFieldValues", client_.gpu(0), 2, &values[0]), kSuccess);
  EXPECT_EQ(values[0].code, kSuccess);
  EXPECT_EQ(values[0].value, 1U);
  EXPECT_EQ(values[1].code, kNotSupported);
}

TEST(Ecc, IsNotSupportedWithoutIt) {
  const Client client("[[gpu]]");
  unsigned long long errors = 0;
  EXPECT_EQ(client.call("nvmlDeviceGetTotalEccErrors", client.gpu(0), 1U, 0U, &errors), kNotSupported);
}

}  // namespace
}  // namespace nvml_fake
