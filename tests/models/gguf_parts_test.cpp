#include "models/gguf_parts.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(GgufParts, AreAllOfASplitModel) {
  const auto parts = gguf_parts("/m/x-00002-of-00003.gguf");
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0], "/m/x-00001-of-00003.gguf");
  EXPECT_EQ(parts[2], "/m/x-00003-of-00003.gguf");
}

TEST(GgufParts, AreTheFileItselfForAnyOtherName) {
  for (const auto* name : {"x.gguf", "x-00001-of-00003.bin", "x-00000-of-00003.gguf", "x-00004-of-00003.gguf",
                           "x-0000a-of-00003.gguf", "x_00001-of-00003.gguf", "-00001-of-00003.gguf", ""}) {
    EXPECT_EQ(gguf_parts(name), std::vector<std::filesystem::path>{name}) << name;
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
