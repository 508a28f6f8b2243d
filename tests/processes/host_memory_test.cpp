#include "dualgpuopt/memory/processes/host_memory.h"

#include <gmock/gmock.h>

#include "processes/proc_fixture.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;

TEST(HostMemory, IsWhatTheKernelSaysIsAvailable) {
  EXPECT_EQ(parse_available_memory("MemTotal:       16384 kB\nMemFree: 1 kB\nMemAvailable:    8192 kB\n"), 8_MiB);
  EXPECT_EQ(parse_available_memory("MemAvailable: 0 kB"), 0U);
}

TEST(HostMemory, RefusesWhatItDoesNotUnderstand) {
  for (const char* text : {"", "MemTotal: 16384 kB\n", "MemAvailable:\n", "MemAvailable: 12\n", "MemAvailable: x kB\n",
                           "NotMemAvailable: 12 kB\n", "MemAvailable: 99999999999999999999 kB\n",
                           "MemAvailable: 9999999999999999999 kB\n", "MemAvailable: -1 kB\n", "MemAvailable:"}) {
    const auto bytes = parse_available_memory(text);
    ASSERT_FALSE(bytes) << text;
    EXPECT_EQ(bytes.error().code(), ErrorCode::ParseFailed);
  }
}

TEST(HostMemory, NamesTheFileThatIsWrong) {
  const fixture::TemporaryTree tree{fixture::directory("proc", {fixture::file("meminfo", "nothing\n")})};
  EXPECT_THAT(read_available_memory(tree.root()).error().describe(), HasSubstr("proc/meminfo"));
  EXPECT_THAT(read_available_memory("/nowhere").error().describe(), HasSubstr("/nowhere/proc/meminfo"));
  EXPECT_GT(read_available_memory("/").value_or(0), 0U) << "this machine's own";
}

using fixture::directory;
using fixture::file;

/// 8 GiB available, and a process in /jobs/one; `limits` is what lies in the cgroup /jobs, `own` in its own.
fixture::TemporaryTree tree_of(std::vector<fixture::Entry> limits, std::vector<fixture::Entry> own) {
  limits.push_back(directory("one", std::move(own)));
  return fixture::TemporaryTree(
      {directory("proc", {file("meminfo", "MemAvailable: 8388608 kB\n"),
                          directory("self", {file("cgroup", "0::/jobs/one\n")})}),
       directory("sys", {directory("fs", {directory("cgroup", {directory("jobs", std::move(limits))})})})});
}

TEST(HostRoom, IsWhatTheHostHasWhereNoCgroupLimitsIt) {
  const auto free = tree_of({file("memory.max", "max\n")}, {file("memory.max", "max\n")});
  EXPECT_EQ(read_host_room(free.root()), (HostRoom{8_GiB, "the host's available memory"}));
  const fixture::TemporaryTree bare{directory("proc", {file("meminfo", "MemAvailable: 8388608 kB\n")})};
  EXPECT_EQ(read_host_room(bare.root()), (HostRoom{8_GiB, "the host's available memory"}));
}

TEST(HostRoom, IsTheNarrowestLimitOnTheWayUp) {
  const auto tree = tree_of({file("memory.max", "4294967296\n"), file("memory.current", "3221225472\n")},
                            {file("memory.max", "2147483648\n"), file("memory.current", "1048576\n")});
  EXPECT_EQ(read_host_room(tree.root()), (HostRoom{1_GiB, "the limit of the cgroup /jobs"}));
}

TEST(HostRoom, DoesNotCountWhatTheKernelDropsFirst) {
  const auto tree = tree_of({}, {file("memory.max", "2147483648\n"), file("memory.current", "2147483648\n"),
                                 file("memory.stat", "anon 1\ninactive_file 1073741824\nactive_file 5\n")});
  EXPECT_EQ(read_host_room(tree.root()), (HostRoom{1_GiB, "the limit of the cgroup /jobs/one"}));
}

TEST(HostRoom, IsNoneOverTheLimit) {
  const auto tree = tree_of({}, {file("memory.max", "1024\n"), file("memory.current", "4096\n")});
  EXPECT_EQ(read_host_room(tree.root())->bytes, 0U);
}

TEST(HostRoom, IsUnknownWhereAFileMakesNoSense) {
  const auto tree = tree_of({}, {file("memory.max", "plenty\n")});
  EXPECT_THAT(read_host_room(tree.root()).error().describe(), HasSubstr("jobs/one/memory.max"));
  EXPECT_FALSE(read_host_room("/nowhere"));
  EXPECT_TRUE(read_host_room()) << "this machine's own";
}

}  // namespace
}  // namespace dualgpuopt::memory
