#include "dualgpuopt/memory/models/tensor_type.h"

#include <gtest/gtest.h>

#include <limits>

namespace dualgpuopt::memory {
namespace {

TEST(TensorType, IsFoundByCodeAndByName) {
  EXPECT_EQ(tensor_type(8)->name, "q8_0");
  EXPECT_EQ(tensor_type("Q8_0")->code, 8U);
  EXPECT_EQ(tensor_type("bf16")->code, 30U);
  EXPECT_FALSE(tensor_type(4)) << "a format that was removed";
  EXPECT_FALSE(tensor_type("q8"));
}

TEST(TensorType, KnowsItsBytes) {
  EXPECT_EQ(tensor_type("f16")->bytes_per_element(), 2);
  EXPECT_EQ(tensor_type("q8_0")->bytes_per_element(), 1.0625);
  EXPECT_EQ(tensor_type("q5_0")->bytes_per_element(), 0.6875);
  EXPECT_EQ(tensor_type("q4_1")->bytes_per_element(), 0.625);
  EXPECT_EQ(tensor_type("q4_0")->bytes_per_element(), 0.5625);
  EXPECT_EQ(tensor_type("iq4_nl")->bytes_per_element(), 0.5625);
}

TEST(TensorBytes, AreThoseOfWholeBlocks) {
  EXPECT_EQ(tensor_bytes(*tensor_type("q4_k"), 4096, 128256), 4096ULL / 256 * 144 * 128256);
  EXPECT_EQ(tensor_bytes(*tensor_type("f32"), 3, 5), 60U);
  EXPECT_EQ(tensor_bytes(*tensor_type("f32"), 0, 5), 0U);
  EXPECT_FALSE(tensor_bytes(*tensor_type("q4_k"), 100, 1)) << "not a whole block";
}

TEST(TensorBytes, DoNotOverflow) {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  EXPECT_FALSE(tensor_bytes(*tensor_type("f32"), most, 1));
  EXPECT_FALSE(tensor_bytes(*tensor_type("f32"), 2, most));
  EXPECT_FALSE(tensor_bytes(*tensor_type("i8"), 1ULL << 40, 1ULL << 40));
}

}  // namespace
}  // namespace dualgpuopt::memory
