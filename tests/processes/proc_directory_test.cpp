#include "processes/proc_directory.h"

#include <gmock/gmock.h>
#include <sys/fsuid.h>
#include <sys/wait.h>
#include <unistd.h>

#include "processes/proc_fixture.h"

namespace dualgpuopt::memory::proc {
namespace {

using fixture::directory;
using fixture::file;
using fixture::TemporaryTree;
using ::testing::HasSubstr;

TEST(Directory, ReadsFilesAndLinks) {
  const TemporaryTree tree{directory("7", {file("comm", "python\n"), fixture::link("exe", "/usr/bin/python")})};
  const auto opened = Directory::open(tree.root(), 7);
  ASSERT_TRUE(opened) << opened.error().describe();
  EXPECT_EQ(*opened->read("comm"), "python\n");
  EXPECT_EQ(opened->read_link("exe"), "/usr/bin/python");
  EXPECT_FALSE(opened->read_link("cwd"));
}

TEST(Directory, CutsOffWhatNobodyReads) {
  const TemporaryTree tree{directory("7", {file("cmdline", std::string(3 * Directory::kLongestText, 'x'))})};
  EXPECT_EQ(Directory::open(tree.root(), 7)->read("cmdline")->size(), Directory::kLongestText);
}

TEST(Directory, SaysWhichProcessIsNotThere) {
  const TemporaryTree tree{directory("7")};
  const auto missing = Directory::open(tree.root(), 8);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::NotFound);
  EXPECT_THAT(missing.error().message(), HasSubstr("no process with PID 8"));
  EXPECT_EQ(Directory::open(tree.root(), 7)->read("stat").error().code(), ErrorCode::NotFound);
}

TEST(Directory, TellsRefusalFromAFault) {
  const TemporaryTree tree{directory("7", {file("secret", "x"), directory("stat")})};
  std::filesystem::permissions(tree.root() / "7/secret", std::filesystem::perms::none);
  const auto opened = Directory::open(tree.root(), 7);
  // For the superuser no file is secret: look with another user's eyes, which changes this thread alone.
  const auto user = static_cast<uid_t>(::setfsuid(65534));
  const auto refused = opened->read("secret");
  ::setfsuid(user);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::PermissionDenied);
  const auto fault = opened->read("stat");
  ASSERT_FALSE(fault);
  EXPECT_EQ(fault.error().code(), ErrorCode::Io);
  EXPECT_THAT(fault.error().message(), HasSubstr("7/stat"));
}

TEST(Directory, StaysWithItsProcessAfterThatOneHasEnded) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  const auto opened = Directory::open("/proc", child);
  ASSERT_TRUE(opened && opened->read("stat"));
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(opened->read("stat").error().code(), ErrorCode::NotFound);
}

}  // namespace
}  // namespace dualgpuopt::memory::proc
