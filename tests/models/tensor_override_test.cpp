#include "dualgpuopt/memory/models/tensor_override.h"

#include <gmock/gmock.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> names(const Model& model, const std::vector<TensorPlace>& places) {
  std::vector<std::string> names;
  for (const auto& place : places) names.push_back(model.tensors[place.tensor].name);
  return names;
}

TEST(TensorOverride, PlacesWhatMatches) {
  const auto model = testing::qwen3_235b();
  const auto places = place_tensors(model, {R"(blk.(1[0-9]).ffn_.*_exps.=CPU)"}, 1);
  ASSERT_TRUE(places) << places.error().describe();
  EXPECT_EQ(places->size(), 30U);
  EXPECT_EQ(names(model, *places).front(), "blk.10.ffn_gate_exps.weight");
  EXPECT_FALSE(places->front().gpu);
}

TEST(TensorOverride, TakesTheFirstPatternThatMatches) {
  const auto model = testing::qwen3_235b();
  const auto places = *place_tensors(model, {R"(blk\.0\..*exps=CUDA1,exps=CPU)", "blk.0.attn_q=CUDA0"}, 2);
  EXPECT_EQ(places.size(), 3U * 94 + 1);
  EXPECT_EQ(names(model, places)[0], "blk.0.attn_q.weight");
  EXPECT_EQ(places[0].gpu, 0U);
  EXPECT_EQ(places[1].gpu, 1U);
  EXPECT_EQ(places.back().gpu, std::nullopt);
  EXPECT_THAT(*place_tensors(model, {"nothing=CPU"}, 1), IsEmpty());
}

TEST(TensorOverride, NamesTheOptionAndWhatIsWrong) {
  const auto model = testing::llama3_8b();
  const auto refusal = [&](const std::string& text) {
    const auto places = place_tensors(model, {text}, 2);
    return places ? "" : places.error().describe();
  };
  EXPECT_THAT(refusal("exps"), HasSubstr("override_tensor: \"exps\": expected PATTERN=DEVICE"));
  EXPECT_THAT(refusal("a=CPU,"), HasSubstr("override_tensor: \"\""));
  EXPECT_THAT(refusal("exps=GPU"), HasSubstr("the device is \"GPU\"; expected CPU, CUDA0"));
  EXPECT_THAT(refusal("exps=CUDA"), HasSubstr("the device is \"CUDA\""));
  EXPECT_THAT(refusal("exps=CUDA2"), HasSubstr("there is no CUDA2 where there are 2 GPUs"));
  EXPECT_THAT(refusal("blk.(1=CPU"), HasSubstr("override_tensor: \"blk.(1=CPU\": at character 7: expected the )"));
  EXPECT_THAT(refusal("=CPU"), HasSubstr("the pattern is empty"));
  EXPECT_THAT(refusal("(.+)+{9}{9}=CPU"), HasSubstr("nothing to repeat"));
}

}  // namespace
}  // namespace dualgpuopt::memory
