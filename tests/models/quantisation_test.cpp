#include "models/quantisation.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

double bytes(const std::string& file_type, TensorRole role, const Quantisation::Place& place = {}) {
  return Quantisation::parse(file_type)->bytes_per_element(role, place);
}

TEST(Quantisation, TakesTheNamesOfLogsAndOfFiles) {
  for (const auto* name : {"Q4_K - Medium",
                           "Q4_K_M",
                           "q4_k_m",
                           "Q4_K - Small",
                           "Q2_K - Medium",
                           "Q8_0",
                           "Q8_0_R8 - 8.5 bpw",
                           "F16",
                           "BF16",
                           "IQ4_XS - 4.25 bpw",
                           "IQ3_K - 3.4325 bpw",
                           "IQ4_KS_R4 - 4.25 bpw",
                           "MXFP4",
                           "MXFP4 MoE",
                           "mostly Q4_K - Small",
                           "Q4_1, some F16",
                           "Q4_0_4_8",
                           "IQ3_S mix - 3.66 bpw",
                           "TQ1_0 - 1.69 bpw ternary",
                           "Q2_K_L",
                           "Q3_K_XL",
                           ""}) {
    EXPECT_TRUE(Quantisation::parse(name)) << name;
  }
  for (const auto* name : {"Q9", "unknown, may not work", "4"}) EXPECT_FALSE(Quantisation::parse(name)) << name;
}

TEST(Quantisation, TakesPrefixesAndFormatsOfForks) {
  EXPECT_EQ(bytes("all F32", TensorRole::Query), 4);
  EXPECT_EQ(bytes("(guessed) all F32", TensorRole::Query), 4);
  EXPECT_EQ(bytes("(guessed) Q8_0", TensorRole::Query), 1.0625);
  EXPECT_EQ(bytes("UD-Q4_K_XL", TensorRole::Query), 0.5625);
  EXPECT_EQ(bytes("NVFP4", TensorRole::Query), 36.0 / 64);
  EXPECT_EQ(bytes("IQ2_KT - 2.125 bpw", TensorRole::Query), 2.125 / 8);
  EXPECT_EQ(bytes("IQ9_NEW - 3.5 bpw", TensorRole::Query), 3.5 / 8) << "as it says";
  for (const auto* name : {" bpw", "X bpw", "X - -1 bpw", "X - 1e9 bpw"})
    EXPECT_FALSE(Quantisation::parse(name)) << name;
}

TEST(Quantisation, GivesSomeTensorsMoreBits) {
  const Quantisation::Place first{0, 32, 4, 0};
  const Quantisation::Place fifth{4, 32, 4, 0};
  EXPECT_EQ(bytes("Q4_K_M", TensorRole::Query, first), 0.5625);
  EXPECT_EQ(bytes("Q4_K_M", TensorRole::Down, first), 210.0 / 256) << "the first eighth in q6_k";
  EXPECT_EQ(bytes("Q4_K_M", TensorRole::Down, fifth), 0.5625);
  EXPECT_EQ(bytes("Q4_K_M", TensorRole::Fused), 176.0 / 256) << "q5_k";
  EXPECT_EQ(bytes("Q5_K_M", TensorRole::Fused), 210.0 / 256);
  EXPECT_EQ(bytes("Q3_K_L", TensorRole::Fused), 0.5625);
  EXPECT_EQ(bytes("Q4_K_M", TensorRole::Output), 210.0 / 256);
  EXPECT_EQ(bytes("Q8_0", TensorRole::Output), 1.0625);
  EXPECT_EQ(bytes("Q4_K_M", TensorRole::Other), 4) << "norms stay in f32";
  EXPECT_EQ(bytes("", TensorRole::Query), 2) << "f16 if nothing is said";
}

}  // namespace
}  // namespace dualgpuopt::memory
