#include "cli/screen.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace dualgpuopt::memory::cli {
namespace {

TEST(Screen, DrawsFromTheTopAndGivesTheTerminalBack) {
  const auto path = ::testing::TempDir() + "screen_test";
  std::filesystem::remove(path);
  ::setenv("LINES", "2", 1);
  {
    auto output = Output::create(path);
    ASSERT_TRUE(output);
    Screen screen(*output);
    EXPECT_TRUE(screen.draw({"one", "two", "three"}));
  }
  std::stringstream drawn;
  drawn << std::ifstream(path).rdbuf();
  EXPECT_EQ(drawn.str(), "\x1b[?1049h\x1b[?25l\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J\x1b[?25h\x1b[?1049l");
  ::unsetenv("LINES");
  std::filesystem::remove(path);
}

TEST(TerminalSize, ComesFromTheEnvironmentWhereThereIsNoTerminal) {
  ::setenv("COLUMNS", "123", 1);
  ::setenv("LINES", "nonsense", 1);
  const auto size = terminal_size();
  if (size.columns != 123) GTEST_SKIP() << "standard output is a terminal here";
  EXPECT_EQ(size.rows, TerminalSize{}.rows);
  ::unsetenv("COLUMNS");
  ::unsetenv("LINES");
}

}  // namespace
}  // namespace dualgpuopt::memory::cli
