#include "dualgpuopt/memory/sources/nvml.h"

#include <gmock/gmock.h>

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "processes/proc_fixture.h"
#include "sources/fake_nvml.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

/// The source over the stand-in, with its devices enumerated.
class NvmlSource : public ::testing::Test {
 protected:
  void open(std::initializer_list<NvmlFakeDevice> gpus, NvmlGeneration generation = NvmlGeneration::R510) {
    fake_ = std::make_unique<FakeNvml>(gpus, generation);
    auto source = open_nvml(clock_, {fake_->path(), "/nowhere"});
    ASSERT_TRUE(source) << source.error().describe();
    source_ = std::move(*source);
    ASSERT_TRUE(source_->enumerate());
  }
  void wait_until_closed() {
    while (fake_->look([](NvmlFakeState& state) { return state.initialised; }) != 0) std::this_thread::yield();
  }
  Reading read(int gpu) { return source_->read(gpu, ReadDetail::Memory); }
  Reading read_all(int gpu) { return source_->read(gpu, ReadDetail::MemoryAndProcesses); }

  VirtualClock clock_;
  std::unique_ptr<FakeNvml> fake_;
  std::unique_ptr<MemorySource> source_;
};

TEST_F(NvmlSource, GivesAReadingOfEachDevice) {
  open({fake_gpu("GPU-a", 24_GiB, 512_MiB, 6_GiB), fake_gpu("GPU-b", 8_GiB, 0, 0)});
  EXPECT_EQ(source_->name(), "nvml");
  EXPECT_EQ(source_->provenance(), Provenance::Driver);
  clock_.advance(3s);
  const auto reading = read(0);
  EXPECT_EQ(reading.gpu, 0);
  EXPECT_EQ(reading.time.mono, MonoTime(3s));
  EXPECT_EQ(reading.provenance, Provenance::Driver);
  ASSERT_TRUE(reading.ok()) << reading.reason;
  EXPECT_EQ(reading.memory->used, 6_GiB);
  EXPECT_EQ(reading.memory->reserved, 512_MiB);
  EXPECT_EQ(reading.memory->used_meaning, UsedMeaning::WithoutReserved);
  EXPECT_EQ(reading.reason, "");
  EXPECT_EQ(reading.processes, nullptr);
  EXPECT_EQ(read(1).memory->total, 8_GiB);
}

TEST_F(NvmlSource, ReadsOldDriversInTheirMeaning) {
  open({fake_gpu("GPU-a", 24_GiB, 512_MiB, 6_GiB)}, NvmlGeneration::R418);
  fake_->change([](NvmlFakeState& state) { state.v1_without_reserved = 1; });
  EXPECT_EQ(read(0).memory->used, 6_GiB);
  EXPECT_EQ(read(0).memory->total, 24064_MiB);
  EXPECT_EQ(read(0).memory->used_meaning, UsedMeaning::WithoutReserved);
}

TEST_F(NvmlSource, ReadsProcessesOnlyWhenAsked) {
  auto gpu = fake_gpu("GPU-a", 24_GiB, 0, 6_GiB);
  gpu.compute = fake_list({{42, 5_GiB, ~0U, ~0U}});
  open({gpu});
  EXPECT_EQ(read(0).processes, nullptr);
  EXPECT_EQ(fake_->calls(kNvmlFakeCompute) + fake_->calls(kNvmlFakeGraphics), 0U);
  clock_.advance(1s);
  const auto reading = read_all(0);
  ASSERT_NE(reading.processes, nullptr);
  EXPECT_EQ(reading.processes->time.mono, MonoTime(1s));
  EXPECT_THAT(reading.processes->entries,
              ElementsAre(AllOf(Field(&ProcessMemory::pid, 42), Field(&ProcessMemory::used, 5_GiB))));
  EXPECT_EQ(reading.unattributed(), SignedBytes{1} << 30);
}

TEST_F(NvmlSource, FindsOutWhoAProcessIs) {
  const fixture::TemporaryTree tree{
      fixture::directory("proc", {fixture::self(), fixture::process({.pid = 42, .start_ticks = 9})})};
  auto gpu = fake_gpu("GPU-a", 24_GiB, 0, 6_GiB);
  gpu.compute = fake_list({{42, 5_GiB, ~0U, ~0U}});
  const FakeNvml fake{gpu};
  const auto source = open_nvml(clock_, {fake.path(), tree.root()});
  ASSERT_TRUE(source && (*source)->enumerate());
  EXPECT_THAT((*source)->read(0, ReadDetail::MemoryAndProcesses).processes->entries,
              ElementsAre(AllOf(Field(&ProcessMemory::start_ticks, 9U), Field(&ProcessMemory::name, "python"))));
}

TEST_F(NvmlSource, SaysWhyADeviceCannotBeReadAndReadsTheOthers) {
  open({fake_gpu("GPU-a", 24_GiB, 0, 6_GiB), fake_gpu("GPU-b", 8_GiB, 0, 1_GiB)});
  fake_->change([](NvmlFakeState& state) {
    state.devices[0].forced[kNvmlFakeMemoryV1] = state.devices[0].forced[kNvmlFakeMemoryV2] = 15;
  });
  EXPECT_FALSE(read(0).ok());
  EXPECT_THAT(read(0).reason, StartsWith("GPU is lost (NVML code 15): "));
  EXPECT_TRUE(read(1).ok());
}

TEST_F(NvmlSource, SaysWhyADeviceCouldNotBeLookedUp) {
  fake_ = std::make_unique<FakeNvml>(std::initializer_list<NvmlFakeDevice>{fake_gpu("GPU-a", 24_GiB, 0, 6_GiB)});
  fake_->force(0, kNvmlFakeHandleByIndex, 4);
  source_ = std::move(*open_nvml(clock_, {fake_->path(), "/nowhere"}));
  ASSERT_EQ(source_->enumerate()->size(), 1U);
  const auto reading = read_all(0);
  EXPECT_FALSE(reading.ok());
  EXPECT_THAT(reading.reason, StartsWith("Insufficient Permissions (NVML code 4)"));
  EXPECT_THAT(reading.processes->reason, StartsWith("Insufficient Permissions (NVML code 4)"));

  fake_->force(0, kNvmlFakeHandleByIndex, 0);
  ASSERT_TRUE(source_->enumerate());
  EXPECT_TRUE(read(0).ok()) << "looks again when it enumerates again";
}

TEST_F(NvmlSource, PutsImpossibleNumbersIntoTheReason) {
  open({fake_gpu("GPU-a", 24_GiB, 0, 6_GiB)});
  fake_->change([](NvmlFakeState& state) { state.devices[0].total = 0; });
  EXPECT_FALSE(read(0).ok());
  EXPECT_THAT(read(0).reason, AllOf(HasSubstr("total 0 B"), HasSubstr("used 6442450944 B")));
}

TEST_F(NvmlSource, HasProcessesWhereTheGpuSharesTheHostsMemory) {
  auto gpu = fake_gpu("GPU-a", 24_GiB, 0, 6_GiB);
  gpu.compute = fake_list({{42, 5_GiB, ~0U, ~0U}});
  gpu.forced[kNvmlFakeMemoryV1] = gpu.forced[kNvmlFakeMemoryV2] = 3;
  open({gpu});
  const auto reading = read_all(0);
  EXPECT_FALSE(reading.ok());
  EXPECT_THAT(reading.reason, AllOf(StartsWith("Not Supported (NVML code 3)"),
                                    HasSubstr("cannot be estimated either: /nowhere/proc/meminfo")));
  EXPECT_EQ(reading.processes->attributed(), 5_GiB);
}

TEST_F(NvmlSource, KnowsNoDeviceThatItDidNotList) {
  open({fake_gpu("GPU-a", 24_GiB, 0, 6_GiB)});
  for (const int gpu : {-1, 1, 1000}) {
    EXPECT_FALSE(read(gpu).ok());
    EXPECT_EQ(read(gpu).gpu, gpu);
    EXPECT_THAT(read_all(gpu).processes->reason, HasSubstr("no device"));
  }
}

TEST_F(NvmlSource, ReadsMigInstancesUntilTheyAreGone) {
  open({fake_gpu("GPU-a", 80_GiB, 0, 0)});
  fake_->change([](NvmlFakeState& state) {
    state.devices[0].mig_capable = state.devices[0].mig_enabled = 1;
    state.devices[0].mig_slots[0] = 1;
    state.devices[1] = fake_gpu("MIG-a", 10_GiB, 0, 1_GiB);
    state.devices[0].forced[kNvmlFakeMemoryV1] = state.devices[0].forced[kNvmlFakeMemoryV2] = 4;
  });
  ASSERT_EQ(source_->enumerate()->size(), 2U);
  EXPECT_THAT(read(0).reason, HasSubstr("NVML code 4")) << "in a container the parent may not be read";
  EXPECT_EQ(read(1).memory->used, 1_GiB);
  fake_->change([](NvmlFakeState& state) { std::strcpy(state.devices[1].uuid, "MIG-b"); });
  EXPECT_THAT(read(1).reason, HasSubstr("MIG-a is there no more"));
}

TEST_F(NvmlSource, ClosesADriverThatHasGoneAwayAndOpensItAgain) {
  open({fake_gpu("GPU-a", 24_GiB, 0, 6_GiB)});
  fake_->force(kNvmlFakeCount, 999);
  EXPECT_EQ(source_->enumerate().error().code(), ErrorCode::Unavailable);
  EXPECT_THAT(read(0).reason, HasSubstr("NVML code 999"));
  EXPECT_EQ(fake_->look([](NvmlFakeState& state) { return state.initialised; }), 0);

  fake_->force(kNvmlFakeInit, 9);
  EXPECT_THAT(source_->enumerate().error().describe(), StartsWith("NVML does not start: Driver Not Loaded"));

  fake_->force(kNvmlFakeInit, 0);
  fake_->force(kNvmlFakeCount, 0);
  ASSERT_TRUE(source_->enumerate());
  EXPECT_TRUE(read(0).ok());
  EXPECT_EQ(fake_->look([](NvmlFakeState& state) { return state.initialised; }), 1);
}

TEST_F(NvmlSource, ListsTheOthersWhenAGpuDoesNotAnswer) {
  fake_ = std::make_unique<FakeNvml>(
      std::initializer_list<NvmlFakeDevice>{fake_gpu("GPU-a", 24_GiB, 0, 6_GiB), fake_gpu("GPU-b", 24_GiB, 0, 6_GiB)});
  fake_->change([](NvmlFakeState& state) { state.devices[0].hang = 1; });
  source_ = std::move(*open_nvml(clock_, {fake_->path(), "/nowhere", {WakePolicy::LeaveAsleep, 50ms}}));
  const auto devices = source_->enumerate();
  ASSERT_TRUE(devices);
  ASSERT_EQ(devices->size(), 2U);
  EXPECT_EQ((*devices)[1].key, "GPU-b");
  EXPECT_THAT(read(0).reason, HasSubstr("has not answered for 50 ms when asked which GPU this is"));
  EXPECT_TRUE(read(1).ok());
  EXPECT_EQ(source_->enumerate()->size(), 2U) << "and again, without another thread that hangs";
  EXPECT_EQ(fake_->look([](NvmlFakeState& state) { return state.hanging; }), 1);
  fake_->change([](NvmlFakeState& state) { state.devices[0].hang = 0; });
  while (!read(0).ok()) ASSERT_TRUE(source_->enumerate());
  EXPECT_EQ(source_->enumerate()->front().uuid, "GPU-a");
  source_.reset();
  wait_until_closed();  // the thread that was left behind is the last to let go
}

TEST_F(NvmlSource, LetsGoOfTheDriverOnRequest) {
  open({fake_gpu("GPU-a", 24_GiB, 0, 6_GiB)});
  ASSERT_TRUE(source_->release());
  EXPECT_EQ(fake_->look([](NvmlFakeState& state) { return state.initialised; }), 0);
  EXPECT_THAT(read_all(0).reason, HasSubstr("released on request"));
  EXPECT_TRUE(source_->release()) << "once more does no harm";
  ASSERT_EQ(source_->enumerate()->front().key, "GPU-a");
  EXPECT_TRUE(read(0).ok());
}

TEST_F(NvmlSource, KeepsTheDriverOpenUnderACallThatHangs) {
  open({fake_gpu("GPU-a", 24_GiB, 0, 6_GiB), fake_gpu("GPU-b", 24_GiB, 0, 6_GiB)});
  fake_->change([](NvmlFakeState& state) { state.devices[0].hang = 1; });
  std::jthread reader([&] { (void)read(0); });
  while (fake_->look([](NvmlFakeState& state) { return state.hanging; }) == 0) std::this_thread::yield();
  const auto released = source_->release();
  ASSERT_FALSE(released);
  EXPECT_THAT(released.error().describe(), HasSubstr("hanging"));
  EXPECT_TRUE(read(1).ok()) << "the others are read on";
  fake_->force(kNvmlFakeCount, 999);
  EXPECT_FALSE(source_->enumerate());
  EXPECT_GE(fake_->look([](NvmlFakeState& state) { return state.initialised; }), 1) << "not shut down under the call";
  fake_->change([](NvmlFakeState& state) { state.devices[0].hang = 0; });
  reader.join();
  EXPECT_EQ(fake_->look([](NvmlFakeState& state) { return state.initialised; }), 0) << "but after it";
}

TEST_F(NvmlSource, OpensTheDriverAnewAfterAFork) {
  open({fake_gpu("GPU-a", 24_GiB, 0, 6_GiB)});
  const auto child = ::fork();
  if (child == 0) {
    const auto inits = fake_->calls(kNvmlFakeInit);
    const bool good = read(0).ok() && fake_->calls(kNvmlFakeInit) == inits + 1 && fake_->calls(kNvmlFakeShutdown) == 0;
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(read(0).ok()) << "the parent's is as it was";
}

TEST_F(NvmlSource, EstimatesTheMemoryOfAGpuThatSharesTheHosts) {
  const fixture::TemporaryTree tree{
      fixture::directory("proc", {fixture::file("meminfo", "MemTotal: 9 kB\nMemAvailable:   1048576 kB\n")})};
  auto gpu = fake_gpu("GPU-a", 0, 0, 0);
  gpu.compute = fake_list({{42, 3_GiB, ~0U, ~0U}});
  gpu.forced[kNvmlFakeMemoryV1] = gpu.forced[kNvmlFakeMemoryV2] = 3;
  const FakeNvml fake{gpu};
  const auto source = open_nvml(clock_, {fake.path(), tree.root()});
  ASSERT_EQ((*source)->enumerate()->front().kind, DeviceKind::Integrated);
  const auto reading = (*source)->read(0, ReadDetail::Memory);
  ASSERT_TRUE(reading.ok()) << reading.reason;
  EXPECT_EQ(*reading.memory, (MemoryUse{3_GiB, 4_GiB, 1_GiB, std::nullopt, UsedMeaning::Estimate}));
  fake.change([](NvmlFakeState& state) { state.devices[0].compute = fake_list({{42, ~0ULL, ~0U, ~0U}}); });
  EXPECT_THAT((*source)->read(0, ReadDetail::Memory).reason, HasSubstr("shares the host's memory"));
}

TEST_F(NvmlSource, DoesNotWakeAGpuThatFellAsleep) {
  using namespace fixture;
  const TemporaryTree tree{directory(
      "sys",
      {directory("bus",
                 {directory("pci", {directory("devices",
                                              {directory("0000:01:00.0",
                                                         {file("vendor", "0x10de\n"), file("class", "0x030000\n"),
                                                          directory("power", {file("runtime_status", "active\n"),
                                                                              file("control", "auto\n")})})})})})})};
  auto gpu = fake_gpu("GPU-a", 24_GiB, 0, 6_GiB);
  gpu.pci_bus = 1;
  const FakeNvml fake{gpu};
  const auto source = open_nvml(clock_, {fake.path(), tree.root()});
  ASSERT_TRUE((*source)->enumerate());
  EXPECT_TRUE((*source)->read(0, ReadDetail::Memory).ok());
  const auto status = tree.root() / "sys/bus/pci/devices/0000:01:00.0/power/runtime_status";
  std::ofstream(status) << "suspended\n";
  const auto calls = fake.calls(kNvmlFakeMemoryV2);
  EXPECT_THAT((*source)->read(0, ReadDetail::MemoryAndProcesses).reason, HasSubstr("sleeps"));
  EXPECT_EQ(fake.calls(kNvmlFakeMemoryV2), calls);
  std::ofstream(status) << "active\n";
  EXPECT_TRUE((*source)->read(0, ReadDetail::Memory).ok());
}

TEST_F(NvmlSource, AsksEachDeviceForItsOwnVersionOfTheMemoryCall) {
  open({fake_gpu("GPU-a", 24_GiB, 0, 6_GiB), fake_gpu("GPU-b", 24_GiB, 0, 6_GiB)});
  fake_->force(0, kNvmlFakeMemoryV2, 13);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(read(0).memory->used_meaning, UsedMeaning::WithReserved);
    EXPECT_EQ(read(1).memory->used_meaning, UsedMeaning::WithoutReserved);
  }
  EXPECT_EQ(fake_->calls(kNvmlFakeMemoryV2), 2U + 1U + 3U)
      << "one each when they are found, a refusal, and the second's";
}

TEST_F(NvmlSource, BlocksAsLongAsTheDriverDoes) {
  open({fake_gpu("GPU-a", 24_GiB, 0, 6_GiB)});
  fake_->change([](NvmlFakeState& state) { state.devices[0].hang = 1; });
  Reading reading;
  std::jthread reader([&] { reading = read(0); });
  while (fake_->look([](NvmlFakeState& state) { return state.hanging; }) == 0) std::this_thread::yield();
  clock_.advance(5s);
  fake_->change([](NvmlFakeState& state) { state.devices[0].hang = 0; });
  reader.join();
  EXPECT_TRUE(reading.ok());
  EXPECT_EQ(reading.time.mono, MonoTime(0s)) << "not newer than the question";
}

TEST_F(NvmlSource, ShutsTheDriverDownWhenItGoes) {
  open({});
  EXPECT_EQ(fake_->look([](NvmlFakeState& state) { return state.initialised; }), 1);
  source_.reset();
  EXPECT_EQ(fake_->look([](NvmlFakeState& state) { return state.initialised; }), 0);
  const auto path = fake_->path();
  fake_.reset();
  EXPECT_EQ(::dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD), nullptr) << "still loaded";
}

TEST(OpenNvml, SaysWhyItDoesNotStart) {
  const VirtualClock clock;
  const FakeNvml fake;
  for (const auto& [code, words, advice] :
       {std::tuple(9, "Driver Not Loaded (NVML code 9)", "modprobe nvidia"),
        std::tuple(18, "RM has detected an NVML/RM version mismatch. (NVML code 18)", "reboot"),
        std::tuple(999, "Unknown Error (NVML code 999)", "daemon-reload"),
        std::tuple(4, "Insufficient Permissions (NVML code 4)", "access")}) {
    fake.force(kNvmlFakeInit, code);
    const auto source = open_nvml(clock, {fake.path()});
    ASSERT_FALSE(source);
    EXPECT_EQ(source.error().code(), ErrorCode::Unavailable);
    EXPECT_THAT(source.error().describe(),
                AllOf(StartsWith("NVML does not start: "), HasSubstr(words), HasSubstr(advice)));
  }
  EXPECT_EQ(fake.calls(kNvmlFakeShutdown), 0U) << "what did not start is not shut down";
}

TEST(OpenNvml, SaysWhenThereIsNoDriver) {
  const VirtualClock clock;
  const auto source = open_nvml(clock, {"/nowhere/libnvidia-ml.so.1"});
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code(), ErrorCode::Unavailable);
  EXPECT_EQ(open_nvml(clock, {"libm.so.6"}).error().code(), ErrorCode::Unsupported);
}

}  // namespace
}  // namespace dualgpuopt::memory
