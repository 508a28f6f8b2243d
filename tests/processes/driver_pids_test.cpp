#include "dualgpuopt/memory/processes/driver_pids.h"

#include <gtest/gtest.h>

#include "core/format.h"
#include "processes/proc_fixture.h"

namespace dualgpuopt::memory {
namespace {

using fixture::directory;
using fixture::file;
using fixture::process;
using fixture::self;
using fixture::TemporaryTree;

constexpr std::uint64_t kContainer = 4026532000;

TEST(DriverPids, AreOurOwnInTheFirstNamespace) {
  const TemporaryTree tree{directory(
      "proc", {self(), process({.pid = 42, .name = "train", .start_ticks = 7}), process({.pid = 43, .state = 'Z'})})};
  const DriverPids pids(tree.root());
  EXPECT_TRUE(pids.are_ours());
  const auto found = pids.find(42);
  EXPECT_EQ(found.pid, 42);
  EXPECT_EQ(found.state, ProcessState::Alive);
  EXPECT_EQ(found.start_ticks, 7U);
  EXPECT_EQ(found.name, "train");
  EXPECT_EQ(pids.find(43).state, ProcessState::Zombie);
}

TEST(DriverPids, KnowsWhoIsNoMore) {
  const TemporaryTree tree{directory("proc", {self()})};
  const auto found = DriverPids(tree.root()).find(42);
  EXPECT_EQ(found.pid, 42);
  EXPECT_EQ(found.state, ProcessState::Dead);
  EXPECT_FALSE(found.start_ticks);
}

TEST(DriverPids, CallsNobodyDeadWhereTheKernelHidesProcesses) {
  for (const char* option : {"hidepid=2", "hidepid=invisible", "hidepid=4"}) {
    const TemporaryTree tree{directory("proc", {self()})};
    fixture::file("mounts", format_text("proc /proc proc rw,nosuid,{} 0 0\n", option))
        .make(tree.root() / "proc/self/mounts");
    EXPECT_FALSE(DriverPids(tree.root()).find(42).state) << option;
  }
  const TemporaryTree tree{directory("proc", {self()})};
  file("mounts", "proc /proc proc rw,hidepid=off 0 0\ntmpfs /proc/x tmpfs hidepid=2 0 0\n")
      .make(tree.root() / "proc/self/mounts");
  EXPECT_EQ(DriverPids(tree.root()).find(42).state, ProcessState::Dead);
}

TEST(DriverPids, MeanNothingInAnotherNamespace) {
  const TemporaryTree tree{directory("proc", {self(kContainer), process({.pid = 42})})};
  const DriverPids pids(tree.root());
  EXPECT_FALSE(pids.are_ours());
  const auto found = pids.find(42);
  EXPECT_FALSE(found.state) << "another process has this number by chance";
  EXPECT_FALSE(found.start_ticks);
  EXPECT_EQ(found.name, "");
  EXPECT_FALSE(DriverPids("/nowhere").find(42).state) << "without /proc nothing is known of the namespace";
}

/// A container whose PID 42 is the host's 4711; the host's /proc is mounted at host/proc.
TemporaryTree container(const fixture::Process& here, const fixture::Process& on_host) {
  return {directory("proc", {self(kContainer), process(here)}),
          directory("host", {directory("proc", {process({.pid = 1}), process(on_host)})})};
}

TEST(DriverPids, AreMappedThroughTheHost) {
  const auto tree = container({.pid = 42, .name = "train", .start_ticks = 9},
                              {.pid = 4711, .name = "train", .start_ticks = 9, .namespaced_pids = {4711, 42}});
  const auto found = DriverPids(tree.root()).find(4711);
  EXPECT_EQ(found.pid, 42);
  EXPECT_EQ(found.state, ProcessState::Alive);
  EXPECT_EQ(found.start_ticks, 9U);
  EXPECT_EQ(DriverPids(tree.root()).find(4712).state, ProcessState::Dead) << "the host knows who is no more";
}

TEST(DriverPids, AreNotMappedToAProcessOfAnotherNamespace) {
  for (const auto& other :
       {fixture::Process{.pid = 4711, .name = "train", .start_ticks = 8, .namespaced_pids = {4711, 42}},
        fixture::Process{.pid = 4711, .name = "serve", .start_ticks = 9, .namespaced_pids = {4711, 42}},
        fixture::Process{.pid = 4711, .name = "train", .start_ticks = 9, .namespaced_pids = {4711, 43}}}) {
    const auto tree = container({.pid = 42, .name = "train", .start_ticks = 9}, other);
    const auto found = DriverPids(tree.root()).find(4711);
    EXPECT_EQ(found.pid, 4711);
    EXPECT_FALSE(found.state);
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
