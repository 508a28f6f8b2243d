#include "sources/text_file.h"

#include <gmock/gmock.h>

#include <fstream>

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;

class ReadTextFile : public ::testing::Test {
 protected:
  void SetUp() override { std::ofstream(path_, std::ios::binary) << std::string("a\0b\n", 4); }
  void TearDown() override { std::filesystem::remove(path_); }

  std::filesystem::path path_ =
      std::filesystem::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(ReadTextFile, GivesEveryByte) { EXPECT_EQ(read_text_file(path_, 4), std::string("a\0b\n", 4)); }

TEST_F(ReadTextFile, SaysWhyNot) {
  EXPECT_THAT(read_text_file(path_, 3).error().message(), HasSubstr("larger than 3 B"));
  EXPECT_EQ(read_text_file("/nothing/there", 1).error().code(), ErrorCode::NotFound);
  EXPECT_EQ(read_text_file("/", 1).error().code(), ErrorCode::Io);
}

}  // namespace
}  // namespace dualgpuopt::memory
