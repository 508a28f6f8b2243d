#include "dualgpuopt/memory/recovery/process_port.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "processes/idle_child.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::IsEmpty;

TEST(SystemProcesses, KnowThisProcessAndItsFamily) {
  const auto port = make_system_processes();
  const IdleChild child("child");
  const auto family = port->family();
  EXPECT_TRUE(family.contains(::getpid()));
  EXPECT_TRUE(family.contains(::getppid()));
  EXPECT_TRUE(family.contains(child.pid()));
  EXPECT_EQ(port->rights()->user, ::geteuid());
  const auto info = port->read(child.pid());
  ASSERT_TRUE(info) << info.error().describe();
  EXPECT_EQ(info->name, "child");
  EXPECT_FALSE(port->keeps_namespace(*info));
  EXPECT_THAT(port->group_members(info->group), Contains(child.pid()));
  EXPECT_THAT(*port->gpu_device_files(child.pid()), IsEmpty());
  EXPECT_TRUE(port->environment_value(child.pid(), "GPUMEM_JOB").has_value());
  EXPECT_NE(port->user_name(0), "");
}

TEST(SystemProcesses, SayWhetherTheMultiProcessServiceRuns) {
  const auto port = make_system_processes();
  const bool served_before = port->serves_mps();  // by this machine itself
  {
    const IdleChild other("nvidia-cuda-mp");
    EXPECT_EQ(port->serves_mps(), served_before);
  }
  const IdleChild server("nvidia-cuda-mps");  // of nvidia-cuda-mps-server the kernel keeps as much
  EXPECT_TRUE(port->serves_mps());
}

TEST(SystemProcesses, HoldAProcessAndSignalIt) {
  const auto port = make_system_processes();
  const IdleChild child("held");
  const auto held = port->hold(port->read(child.pid())->identity);
  ASSERT_TRUE(held) << held.error().describe();
  EXPECT_FALSE((*held)->has_exited());
  EXPECT_TRUE((*held)->signal(SIGTERM));
  while (!(*held)->has_exited()) continue;
  EXPECT_EQ((*held)->signal(SIGTERM).error().code(), ErrorCode::NotFound);
}

TEST(SystemProcesses, RunAHookWithItsLimit) {
  const auto port = make_system_processes();
  EXPECT_EQ(port->run_hook("exit 3", {}, 30s, {})->code, 3);
  EXPECT_EQ(port->run_hook("sleep 100", {}, 50ms, {})->end, CommandEnd::TimedOut);
}

}  // namespace
}  // namespace dualgpuopt::memory
