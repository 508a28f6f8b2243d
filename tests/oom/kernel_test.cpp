#include "oom/scanned.h"

namespace dualgpuopt::memory {
namespace {

TEST(Kernel, EndsAProcess) {
  const auto error = only_error(
      "[12345.6] Out of memory: Killed process 4242 (python) total-vm:99999kB, anon-rss:2097152kB, file-rss:0kB");
  EXPECT_EQ(error.source, OomSource::Linux);
  EXPECT_EQ(error.backend, OomBackend::Host);
  EXPECT_EQ(error.others, (std::vector<OomProcess>{{4242, 2_GiB, false}}));
}

TEST(Kernel, EndsAProcessOfAContainer) {
  const auto error = only_error(
      "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task=python,pid=4242,uid=1000\n"
      "Memory cgroup out of memory: Killed process 4242 (python) total-vm:9kB, anon-rss:1048576kB, file-rss:0kB\n");
  EXPECT_EQ(error.others, (std::vector<OomProcess>{{4242, 1_GiB, false}}));
}

TEST(Kernel, IsToldOfByOthers) {
  for (const auto* text : {"slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.batch.",
                           "Last State: Terminated  Reason: OOMKilled  Exit Code: 137",
                           "train.service: A process of this unit has been killed by the OOM killer.",
                           "ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory."}) {
    EXPECT_TRUE(only_error(text).is_host()) << text;
  }
  EXPECT_TRUE(scanned("the zoom killed the room").empty());
}

}  // namespace
}  // namespace dualgpuopt::memory
