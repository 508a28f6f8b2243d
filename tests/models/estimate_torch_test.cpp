#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "dualgpuopt/memory/models/estimate.h"

namespace dualgpuopt::memory {
namespace {

class EstimateTorch : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "config.json") << R"({"model_type": "llama", "hidden_size": 2048,
      "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
      "vocab_size": 128256, "max_position_embeddings": 4096, "tie_word_embeddings": true})";
    request.model = folder_.string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  EstimateRequest request;

 private:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() /
      ("estimate-torch-" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
};

using nlohmann::json;

TEST_F(EstimateTorch, OfTransformersSaysWhatIsMissingAndWhatHelps) {
  request.gpus = "3GiB";
  request.parallel = 8;
  const auto answer = estimate_transformers(request);
  ASSERT_TRUE(answer) << answer.error().describe();
  ASSERT_EQ(answer->missing.size(), 1U);
  EXPECT_GT(answer->missing[0], 0U);
  ASSERT_FALSE(answer->remedies.empty());
  EXPECT_NE(answer->remedies[0].find("--batch"), std::string::npos);
  request.parallel = 1;
  request.context = 256;
  EXPECT_TRUE(estimate_transformers(request)->remedies.empty()) << "it fits";
}

TEST_F(EstimateTorch, WeightsMayBeInAnotherFormat) {
  const auto half = estimate_transformers(request);
  request.weight_type = "i8";
  const auto byte = estimate_transformers(request);
  ASSERT_TRUE(half && byte);
  const auto layers = half->model.weights.all_layers();
  EXPECT_NEAR(static_cast<double>(half->need[0].weights - byte->need[0].weights), static_cast<double>(layers) / 2, 1e5)
      << "embedding and output stay in 16 bits";
  request.weight_type = "f17";
  EXPECT_NE(estimate_transformers(request).error().describe().find("weight_type"), std::string::npos);
}

TEST_F(EstimateTorch, OfTrainingReadsItsWords) {
  request.optimizer = "adamw8bit";
  request.precision = "bf16";
  request.sharding = "full";
  request.gpus = "80GiB,40GiB";
  const auto answer = estimate_training(request);
  ASSERT_TRUE(answer) << answer.error().describe();
  EXPECT_EQ(answer->options.optimizer, Optimizer::AdamW8bit);
  EXPECT_EQ(answer->options.precision, TrainingPrecision::Brain16);
  EXPECT_EQ(answer->options.sharding, Sharding::Full);
  EXPECT_EQ(answer->options.gpus, 2U);
  EXPECT_EQ(answer->free, 40_GiB) << "the smallest counts";
}

TEST_F(EstimateTorch, UnknownWordsAreRefusedWithTheKnownOnes) {
  request.optimizer = "adam";
  const auto error = estimate_training(request).error();
  EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
  EXPECT_EQ(error.describe(), "optimizer: \"adam\" is not known; expected one of sgd, momentum, adamw, adamw8bit");
}

TEST_F(EstimateTorch, OfTrainingSaysWhatIsMissing) {
  request.gpus = "24GiB";
  request.parallel = 16;
  const auto answer = estimate_training(request);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->missing(), answer->need.total() + kTypicalContextOverhead - 24_GiB);
  EXPECT_FALSE(answer->remedies.empty());
  request.gpus = "1";
  EXPECT_EQ(estimate_training(request)->missing(), 0U) << "its size is not known";
}

TEST_F(EstimateTorch, JsonHasEveryPart) {
  request.gpus = "24GiB";
  const auto training = json::parse(to_json(*estimate_training(request)));
  EXPECT_EQ(training.at("runtime"), "training");
  EXPECT_EQ(training.at("parameters"), 1235812352.0) << "Llama 3.2 1B has 1,235,814,400: the last norm is left out";
  EXPECT_GT(training.at("optimizer_bytes"), training.at("weights_bytes"));
  EXPECT_TRUE(training.at("fit").at("fits").is_boolean());
  const auto transformers = json::parse(to_json(*estimate_transformers(request)));
  EXPECT_EQ(transformers.at("runtime"), "transformers");
  EXPECT_EQ(transformers.at("devices").size(), 2U);
  EXPECT_EQ(transformers.at("fit").at("fits"), true);
}

}  // namespace
}  // namespace dualgpuopt::memory
