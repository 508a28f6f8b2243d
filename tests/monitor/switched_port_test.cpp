#include "monitor/switched_port.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "recovery/gate.h"
#include "recovery/scripted_device.h"

namespace dualgpuopt::memory {
namespace {

using namespace testing;

/// Answers when the test lets it.
class SlowPort final : public MemoryPort {
 public:
  Reading measure(int gpu, ReadDetail /*detail*/) override {
    entered->open();
    gate->wait();
    return reading_of(1_GiB, gpu);
  }
  SharedGate entered = make_gate();
  SharedGate gate = make_gate();
};

TEST(SwitchedPort, MeasuresThroughWhatIsConnected) {
  SwitchedPort port(std::make_shared<VirtualClock>(), Provenance::Driver);
  EXPECT_EQ(port.measure(2, ReadDetail::Memory).reason, "the monitor does not run");
  EXPECT_EQ(port.measure(2, ReadDetail::Memory).gpu, 2);
  ScriptedDevices devices;
  devices.set_used(2, 5_GiB);
  port.connect(devices);
  EXPECT_EQ(port.measure(2, ReadDetail::Memory).memory->used, 5_GiB);
  port.disconnect();
  EXPECT_FALSE(port.measure(2, ReadDetail::Memory).ok());
}

TEST(SwitchedPort, DisconnectsWhenNobodyIsInsideAnyMore) {
  SwitchedPort port(std::make_shared<VirtualClock>(), Provenance::Driver);
  SlowPort slow;
  port.connect(slow);
  std::thread measuring([&] { EXPECT_TRUE(port.measure(0, ReadDetail::Memory).ok()); });
  slow.entered->wait();
  std::atomic<bool> is_disconnected = false;
  std::thread disconnecting([&] {
    port.disconnect();
    is_disconnected = true;
  });
  EXPECT_FALSE(is_disconnected) << "somebody is inside";
  slow.gate->open();
  measuring.join();
  disconnecting.join();
}

}  // namespace
}  // namespace dualgpuopt::memory
