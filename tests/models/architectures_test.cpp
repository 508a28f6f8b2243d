#include "models/architectures.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(Architectures, HaveTheirNamesInGguf) {
  EXPECT_EQ(gguf_architecture("deepseek_v3"), "deepseek2");
  EXPECT_EQ(gguf_architecture("llama"), "llama");
}

TEST(Architectures, AreKnownOrSaidNotToBe) {
  for (const auto* known : {"afmoe", "llama", "qwen3moe", "granitehybrid", "xverse"})
    EXPECT_TRUE(is_known_architecture(known)) << known;
  EXPECT_TRUE(is_known_architecture(gguf_architecture("gpt_bigcode")));
  EXPECT_FALSE(is_known_architecture("zebra"));
  EXPECT_FALSE(is_known_architecture(""));
  EXPECT_EQ(unknown_architecture_note("a\x1b"),
            "the architecture \"a?\" is not known: its layers are taken for those of Llama");
}

}  // namespace
}  // namespace dualgpuopt::memory
