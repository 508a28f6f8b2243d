#include "job/job_members.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace dualgpuopt::memory::job {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr pid_t kSupervisor = 100;
constexpr pid_t kJob = 200;

/// A /proc with what stat says, and nothing else.
class JobMembersTest : public ::testing::Test {
 protected:
  JobMembersTest() {
    std::filesystem::remove_all(root_);
    add(kSupervisor, 1, kSupervisor);
    add(kJob, kSupervisor, kJob);
  }
  ~JobMembersTest() override { std::filesystem::remove_all(root_); }

  /// Started with its PID, unless told.
  void add(pid_t pid, pid_t parent, pid_t group, char state = 'S', pid_t start = 0) {
    const auto folder = root_ / "proc" / std::to_string(pid);
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "stat") << pid << " (name) " << state << " " << parent << " " << group
                                   << " 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " << (start > 0 ? start : pid) << " 0 0 0\n";
  }
  std::vector<pid_t> pids(const std::vector<ProcessIdentity>& identities) {
    std::vector<pid_t> found;
    for (const auto& identity : identities) found.push_back(identity.pid);
    return found;
  }

  std::filesystem::path root_ =
      std::filesystem::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
  JobMembers members_{ProcessTable(root_), kSupervisor, kJob};
};

TEST_F(JobMembersTest, AreAllThatDescendFromTheSupervisor) {
  add(201, kJob, kJob);
  add(300, kSupervisor, 300);  // an orphan in a session of its own
  add(400, 1, 400);
  EXPECT_TRUE(members_.contains(kJob));
  EXPECT_TRUE(members_.contains(201));
  EXPECT_TRUE(members_.contains(300));
  EXPECT_FALSE(members_.contains(400));
  EXPECT_FALSE(members_.contains(kSupervisor));
  EXPECT_FALSE(members_.contains(999));
  EXPECT_THAT(pids(members_.outside_group()), ElementsAre(300));
}

TEST_F(JobMembersTest, PressureCommandsAreNone) {
  add(500, kSupervisor, 500);
  add(501, 500, 501);          // it left the group
  add(502, kSupervisor, 500);  // its parent has ended
  members_.exclude(500);
  for (const pid_t pid : {500, 501, 502}) EXPECT_FALSE(members_.contains(pid)) << pid;
  EXPECT_THAT(pids(members_.living()), ElementsAre(kJob));
}

TEST_F(JobMembersTest, WhoGetsTheNumberOfAPressureCommandIsOne) {
  add(500, kSupervisor, 500);
  members_.exclude(500);
  add(500, kJob, 500, 'S', 900);
  add(501, 500, 500);
  for (const pid_t pid : {500, 501}) EXPECT_TRUE(members_.contains(pid)) << pid;
}

TEST_F(JobMembersTest, AGroupThatHasTheNumberOfOneThatEndedIsTheJobs) {
  add(500, kSupervisor, 500);
  add(501, kSupervisor, 500);
  members_.exclude(500);
  std::filesystem::remove_all(root_ / "proc" / "500");
  members_.forget_ended();
  EXPECT_FALSE(members_.contains(501)) << "its group is there still";
  std::filesystem::remove_all(root_ / "proc" / "501");
  members_.forget_ended();
  add(502, kJob, 500);  // of a leader that has gone again
  EXPECT_TRUE(members_.contains(502));
}

TEST_F(JobMembersTest, TheDeadDoNotLive) {
  add(kJob, kSupervisor, kJob, 'Z');
  EXPECT_THAT(members_.living(), IsEmpty());
}

}  // namespace
}  // namespace dualgpuopt::memory::job
