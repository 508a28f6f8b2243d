#include "cli/command.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>

namespace dualgpuopt::memory::cli {
namespace {

using namespace std::chrono_literals;

TEST(MonitorOptions, TheIntervalReplacesThePaceAndLeavesTheRestOfTheFile) {
  const std::string file = testing::TempDir() + "interval_and_file.toml";
  std::ofstream(file) << "[polling]\nprocesses = \"500ms\"\nrescan = \"1min\"\n";
  const MonitorOptions options{file, "200ms"};

  const auto resolved = options.resolve();
  ASSERT_TRUE(resolved.has_value()) << resolved.error().describe();
  EXPECT_EQ(resolved->polling.usual, 200ms);
  EXPECT_EQ(resolved->polling.shortest, 200ms);
  EXPECT_EQ(resolved->polling.longest, 200ms);
  EXPECT_EQ(resolved->polling.processes, 500ms);
  EXPECT_EQ(resolved->polling.rescan, 1min);
}

}  // namespace
}  // namespace dualgpuopt::memory::cli
