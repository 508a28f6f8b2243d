#include "dualgpuopt/memory/processes/process_rights.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "processes/proc_fixture.h"

namespace dualgpuopt::memory {
namespace {

using fixture::directory;
using fixture::file;
using fixture::TemporaryTree;

ProcessRights rights_with(const std::string& capabilities) {
  const auto status = "Uid:\t7\t1000\t7\t7\nCapEff:\t" + capabilities + "\n";
  const TemporaryTree tree{directory("proc", {directory(std::to_string(::getpid()), {file("status", status)})})};
  return *own_rights(tree.root());
}

TEST(ProcessRights, WithoutPrivilegeAreOverOnesOwnProcesses) {
  const auto rights = rights_with("0000000000000000");
  EXPECT_EQ(rights.user, 1000U);
  EXPECT_TRUE(rights.may_signal(1000));
  EXPECT_FALSE(rights.may_signal(1001));
  EXPECT_FALSE(rights.may_signal(0));
}

TEST(ProcessRights, ComeFromTheCapabilityAndNotFromTheUser) {
  EXPECT_TRUE(rights_with("0000000000000020").may_signal(1001));
  EXPECT_FALSE(rights_with("ffffffffffffffdf").may_signal(1001)) << "all but this one";
}

TEST(ProcessRights, OfThisProcess) {
  const auto rights = own_rights();
  ASSERT_TRUE(rights) << rights.error().describe();
  EXPECT_EQ(rights->user, ::geteuid());
  EXPECT_TRUE(rights->may_signal(::geteuid()));
}

TEST(ProcessRights, SayWhyTheyCannotBeKnown) {
  const TemporaryTree tree{directory("proc", {directory(std::to_string(::getpid()), {file("status", "Name:\tx\n")})})};
  EXPECT_EQ(own_rights(tree.root()).error().code(), ErrorCode::ParseFailed);
}

}  // namespace
}  // namespace dualgpuopt::memory
