#include "dualgpuopt/memory/processes/process_handle.h"

#include <gmock/gmock.h>

#include "processes/idle_child.h"
#include "processes/proc_fixture.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

ProcessIdentity identity_of(pid_t pid) { return ProcessTable().read_brief(pid)->identity; }

TEST(ProcessHandle, EndsTheProcessThatItHolds) {
  IdleChild child("held");
  const auto handle = ProcessHandle::open(identity_of(child.pid()));
  ASSERT_TRUE(handle) << handle.error().describe();
  EXPECT_EQ(handle->identity().pid, child.pid());
  EXPECT_FALSE(handle->has_exited());
  ASSERT_TRUE(handle->signal(SIGTERM));
  EXPECT_TRUE(handle->wait_for_exit(30s)) << "as a zombie, too";
}

TEST(ProcessHandle, RefusesAPidWhoseProcessIsAnother) {
  const IdleChild child("successor");
  auto measured = identity_of(child.pid());
  --measured.start_ticks;
  const auto handle = ProcessHandle::open(measured);
  ASSERT_FALSE(handle);
  EXPECT_EQ(handle.error().code(), ErrorCode::NotFound);
  EXPECT_THAT(handle.error().message(), HasSubstr("another process now"));
}

TEST(ProcessHandle, RefusesOneThatHasExited) {
  IdleChild child("ended");
  const auto measured = identity_of(child.pid());
  child.kill();
  const auto zombie = ProcessHandle::open(measured);
  ASSERT_FALSE(zombie);
  EXPECT_THAT(zombie.error().message(), HasSubstr("has exited"));
  child.reap();
  const auto nobody = ProcessHandle::open(measured);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code(), ErrorCode::NotFound);
}

TEST(ProcessHandle, SignalsNobodyOnceItsProcessHasExited) {
  IdleChild child("short");
  const auto handle = ProcessHandle::open(identity_of(child.pid()));
  ASSERT_TRUE(handle);
  child.kill();
  EXPECT_EQ(handle->signal(SIGTERM).error().code(), ErrorCode::NotFound) << "a zombie";
  child.reap();
  EXPECT_EQ(handle->signal(SIGTERM).error().code(), ErrorCode::NotFound);
  EXPECT_TRUE(handle->has_exited());
}

TEST(ProcessHandle, WaitsNoLongerThanItShould) {
  const IdleChild child("patient");
  const auto handle = ProcessHandle::open(identity_of(child.pid()));
  ASSERT_TRUE(handle);
  EXPECT_FALSE(handle->wait_for_exit(1ms));
  EXPECT_FALSE(handle->wait_for_exit(-1s));
}

TEST(ProcessHandle, BelievesTheTableThatItIsGiven) {
  const IdleChild child("real");
  const fixture::TemporaryTree tree{
      fixture::directory("proc", {fixture::process({.pid = child.pid(), .start_ticks = 77})})};
  const ProcessTable table(tree.root());
  EXPECT_TRUE(ProcessHandle::open({child.pid(), 77}, table));
  EXPECT_FALSE(ProcessHandle::open({child.pid(), 78}, table));
}

}  // namespace
}  // namespace dualgpuopt::memory
