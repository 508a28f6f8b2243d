#include "dualgpuopt/memory/profiles/any_estimate.h"

#include <gmock/gmock.h>

#include <fstream>

#include "models/gguf_writer.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;

EstimateQuestion question_about(const std::string& model, const std::string& runtime = "llama.cpp") {
  EstimateQuestion question;
  question.request.model = model;
  question.runtime = runtime;
  return question;
}

/// A folder with a config.json: every runtime can say something of it.
class ConfigFolder {
 public:
  ConfigFolder() : file_("config.json") {
    std::ofstream(file_.path()) << R"({"model_type": "llama", "num_hidden_layers": 4, "hidden_size": 256,
      "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 512, "vocab_size": 1000,
      "max_position_embeddings": 2048, "torch_dtype": "bfloat16"})";
  }
  [[nodiscard]] std::string path() const { return file_.path().string(); }

 private:
  testing::TemporaryFile file_;
};

TEST(AnyEstimate, IsOfTheRuntimeThatWasAskedFor) {
  const ConfigFolder config;
  EXPECT_TRUE(std::holds_alternative<LlamaCppEstimate>(*estimate_any(question_about(config.path()))));
  EXPECT_TRUE(
      std::holds_alternative<TransformersEstimate>(*estimate_any(question_about(config.path(), "transformers"))));
  EXPECT_TRUE(std::holds_alternative<TrainingEstimate>(*estimate_any(question_about(config.path(), "training"))));
  auto vllm = question_about(config.path(), "vllm");
  vllm.request.gpus = "24GiB";
  EXPECT_TRUE(std::holds_alternative<VllmEstimate>(*estimate_any(vllm)));
}

TEST(AnyEstimate, OfAnUnknownRuntimeIsNone) {
  const ConfigFolder config;
  const auto estimate = estimate_any(question_about(config.path(), "ollama"));
  ASSERT_FALSE(estimate);
  EXPECT_EQ(estimate.error().code(), ErrorCode::InvalidArgument);
  EXPECT_THAT(estimate.error().describe(), HasSubstr("runtime: \"ollama\" is not known"));
}

TEST(AnyEstimate, TakesWhatIsNoPathForAProfilesName) {
  const auto estimate = estimate_any(question_about("llama2-7b"));
  ASSERT_TRUE(estimate);
  EXPECT_EQ(std::get<ProfileEstimate>(*estimate).profile.name, "llama2-7b");
  EXPECT_EQ(estimate_any(question_about("no-such-model")).error().code(), ErrorCode::NotFound);
  EXPECT_THAT(estimate_any(question_about("llama2-7b", "vllm")).error().describe(), HasSubstr("of no runtime"));
}

TEST(AnyEstimate, RefusesOptionsOfOtherRuntimesAndFilesThatAreNotThere) {
  const ConfigFolder config;
  auto question = question_about(config.path(), "transformers");
  question.request.gpu_layers = 3;
  EXPECT_THAT(estimate_any(question).error().describe(), HasSubstr("gpu_layers: this is an option of llama.cpp"));
  question = question_about("llama2-7b");
  question.request.gpu_layers = 3;
  EXPECT_THAT(estimate_any(question).error().describe(), HasSubstr("the estimate is for a profile"));
  question = question_about(config.path());
  question.profiles = "/no/such.toml";
  EXPECT_EQ(estimate_any(question).error().code(), ErrorCode::NotFound);
}

TEST(AnyEstimate, LooksIntoTheFileOfProfiles) {
  const testing::TemporaryFile file("profiles.toml");
  std::ofstream(file.path()) << "[[profile]]\nname = \"ours\"\nbase = \"1GiB\"\nper_batch = 1\nper_token = 1\n";
  auto question = question_about("ours");
  EXPECT_EQ(estimate_any(question).error().code(), ErrorCode::NotFound);
  question.profiles = file.path();
  EXPECT_EQ(std::get<ProfileEstimate>(*estimate_any(question)).profile.base, 1_GiB);
}

}  // namespace
}  // namespace dualgpuopt::memory
