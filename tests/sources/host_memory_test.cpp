#include "sources/host_memory.h"

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

}  // namespace
}  // namespace dualgpuopt::memory
