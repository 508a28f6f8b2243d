#include "models/runtime_options.h"

#include <gmock/gmock.h>

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;

std::string refusal(const EstimateRequest& request, const std::string& runtime) {
  const auto checked = check_options(request, runtime);
  return checked ? "" : checked.error().describe();
}

TEST(RuntimeOptions, AreThoseOfTheRuntime) {
  for (const auto* runtime : {"llama.cpp", "vllm", "transformers", "training"}) EXPECT_EQ(refusal({}, runtime), "");
  EstimateRequest request;
  request.cpu_moe = true;
  EXPECT_EQ(refusal(request, "llama.cpp"), "");
  EXPECT_THAT(refusal(request, "vllm"),
              HasSubstr("cpu_moe: this is an option of llama.cpp, and the estimate is for vllm"));
  request = {};
  request.optimizer = "sgd";
  EXPECT_EQ(refusal(request, "training"), "");
  EXPECT_THAT(refusal(request, "transformers"), HasSubstr("optimizer: this is an option of training"));
  request = {};
  request.weight_type = "i8";
  EXPECT_EQ(refusal(request, "training"), "");
  EXPECT_THAT(refusal(request, "llama.cpp"), HasSubstr("weight_type: this is an option of transformers, training"));
}

TEST(RuntimeOptions, HaveOneFormatForKeysAndValuesInPython) {
  EstimateRequest request;
  request.key_type = "fp8";
  EXPECT_EQ(refusal(request, "vllm"), "");
  request.value_type = "fp8";
  EXPECT_EQ(refusal(request, "vllm"), "");
  request.value_type = "bf16";
  EXPECT_THAT(refusal(request, "vllm"), HasSubstr("kv_type_v"));
  request.key_type = "f16";
  request.value_type = "f16";
  EXPECT_EQ(refusal(request, "training"), "");
}

}  // namespace
}  // namespace dualgpuopt::memory
