#include "dualgpuopt/memory/processes/process_environment.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "processes/proc_fixture.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::string_literals;
using fixture::directory;
using fixture::file;
using fixture::TemporaryTree;

TEST(EnvironmentValue, FindsTheWholeNameOnly) {
  const TemporaryTree tree{
      directory("proc", {directory("42", {file("environ", "JOB=1\0MY_JOB=2\0JOB_ID=3=4\0EMPTY=\0odd\0"s)})})};
  EXPECT_EQ(*environment_value(42, "JOB", tree.root()), "1");
  EXPECT_EQ(*environment_value(42, "JOB_ID", tree.root()), "3=4");
  EXPECT_EQ(*environment_value(42, "EMPTY", tree.root()), "");
  EXPECT_EQ(*environment_value(42, "odd", tree.root()), std::nullopt);
  EXPECT_EQ(*environment_value(42, "JO", tree.root()), std::nullopt);
}

TEST(EnvironmentValue, SaysWhyItCannotTell) {
  const TemporaryTree tree{directory("proc", {directory("42")})};
  EXPECT_EQ(environment_value(42, "JOB", tree.root()).error().code(), ErrorCode::NotFound);
  EXPECT_EQ(environment_value(43, "JOB", tree.root()).error().code(), ErrorCode::NotFound);
}

TEST(EnvironmentValue, OfThisProcess) {
  const auto path = environment_value(::getpid(), "PATH");
  ASSERT_TRUE(path) << path.error().describe();
  EXPECT_EQ(path->value_or("") == (::getenv("PATH") == nullptr ? "" : ::getenv("PATH")), true);
}

}  // namespace
}  // namespace dualgpuopt::memory
