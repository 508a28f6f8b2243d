#include "cli/output.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace dualgpuopt::memory::cli {
namespace {

using ::testing::HasSubstr;

class OutputTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::string content() const {
    std::stringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }

  std::string path_ = ::testing::TempDir() + ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(OutputTest, WritesAtOnce) {
  auto output = Output::create(path_);
  ASSERT_TRUE(output);
  EXPECT_TRUE(output->write("a"));
  EXPECT_EQ(content(), "a");
  EXPECT_TRUE(output->line("b"));
  EXPECT_EQ(content(), "ab\n");
  EXPECT_FALSE(output->is_terminal());
}

TEST_F(OutputTest, NeverOverwrites) {
  std::ofstream(path_) << "precious";
  EXPECT_EQ(Output::create(path_).error().code(), ErrorCode::InvalidArgument);
  EXPECT_EQ(content(), "precious");
}

TEST_F(OutputTest, SaysWhatTheSystemSaid) {
  EXPECT_THAT(Output::create("/nothing/there").error().message(), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace dualgpuopt::memory::cli
