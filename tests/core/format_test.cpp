#include "core/format.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace dualgpuopt::memory {
namespace {

TEST(FormatText, FormatsAsFmtDoes) {
  EXPECT_EQ(format_text("GPU {}: {:.1f} %, {:>4}", 1, 12.34, "up"), "GPU 1: 12.3 %,   up");
  EXPECT_EQ(format_text("as it is"), "as it is");
}

TEST(FormatText, TakesWhatIsMovedInto) { EXPECT_EQ(format_text("{}", std::string(100, 'x')), std::string(100, 'x')); }

TEST(PrintText, WritesToTheStream) {
  char* written = nullptr;
  std::size_t size = 0;
  auto* stream = open_memstream(&written, &size);
  print_text(stream, "{} of {}\n", 3, 4);
  std::fclose(stream);
  EXPECT_EQ(std::string(written, size), "3 of 4\n");
  std::free(written);
}

}  // namespace
}  // namespace dualgpuopt::memory
