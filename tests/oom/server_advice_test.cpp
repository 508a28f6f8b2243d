#include "oom/server_advice.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace dualgpuopt::memory {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> advice(const OomError& error) {
  std::vector<std::string> measures;
  advise_server(error, measures);
  return measures;
}

OomError of(OomSource source, OomPhase phase = OomPhase::Unknown) {
  OomError error;
  error.source = source;
  error.phase = phase;
  return error;
}

TEST(ServerAdvice, KnowsWhoServes) {
  EXPECT_TRUE(is_server(OomSource::Ollama));
  EXPECT_FALSE(is_server(OomSource::PyTorch));
}

TEST(ServerAdvice, OfLlamaCppDependsOnTheBuffer) {
  auto error = of(OomSource::LlamaCpp, OomPhase::Compute);
  error.requested = 8_GiB;
  EXPECT_THAT(advice(error)[0], HasSubstr("scratch buffer of 8.0 GiB"));
  error.phase = OomPhase::KvCache;
  EXPECT_THAT(advice(error)[0], AllOf(HasSubstr("-ctk q8_0"), HasSubstr("about 4.2 GiB")));
  error.phase = OomPhase::Weights;
  EXPECT_THAT(advice(error)[0], HasSubstr("its weights ask for 8.0 GiB"));
}

TEST(ServerAdvice, OfOllamaHasItsNames) {
  auto error = of(OomSource::Ollama);
  error.requested = 8_GiB;
  EXPECT_THAT(advice(error)[0], AllOf(HasSubstr("8.0 GiB"), HasSubstr("OLLAMA_CONTEXT_LENGTH")));
  error.phase = OomPhase::Weights;
  EXPECT_THAT(advice(error)[0], HasSubstr("fewer layers")) << "no context makes weights smaller";
}

TEST(ServerAdvice, OfVllmSaysHowManyTokensFit) {
  auto error = of(OomSource::Vllm, OomPhase::KvCache);
  error.context = 131072;
  error.cache_tokens = 86432;
  EXPECT_THAT(advice(error)[0], HasSubstr("holds 86432 of 131072 tokens: start with --max-model-len 86432"));
  error.estimated_context = 80000;
  EXPECT_THAT(advice(error)[0], HasSubstr("--max-model-len 80000")) << "as it reckons itself";
}

TEST(ServerAdvice, OfVllmReckonsTheContextThatFits) {
  auto error = of(OomSource::Vllm, OomPhase::KvCache);
  error.context = 1000;
  error.cache_needed = 10_GiB;
  error.cache_left = 4LL << 30;
  EXPECT_THAT(advice(error)[0], HasSubstr("--max-model-len 400"));
  EXPECT_THAT(advice(error)[1], HasSubstr("needs 10.0 GiB and has 4.0 GiB"));
  error.cache_left = -1;
  EXPECT_THAT(advice(error), Not(Contains(HasSubstr("start with --max-model-len"))));
}

TEST(ServerAdvice, OfVllmSaysWhatIsMissing) {
  auto error = of(OomSource::Vllm, OomPhase::KvCache);
  error.cache_left = -(1LL << 30);
  EXPECT_THAT(advice(error)[0], HasSubstr("take 1.0 GiB more"));
}

TEST(ServerAdvice, OfVllmHasTheShareThatIsFree) {
  auto error = of(OomSource::Vllm, OomPhase::Startup);
  error.requested = 72_GiB;
  error.free = 60_GiB;
  error.total = 80_GiB;
  EXPECT_THAT(advice(error)[0],
              HasSubstr("Others hold 20.0 GiB of this GPU: end them, or start with --gpu-memory-utilization 0.73"));
  error.free = 8_GiB;
  EXPECT_THAT(advice(error)[0], Not(HasSubstr("utilization"))) << "hardly a model fits there";
}

TEST(ServerAdvice, OfTheOthersHasTheirNames) {
  EXPECT_THAT(advice(of(OomSource::SgLang))[0], HasSubstr("Raise --mem-fraction-static"));
  auto tgi = of(OomSource::Tgi);
  tgi.context = 4096;
  EXPECT_THAT(advice(tgi)[0], HasSubstr("--max-batch-prefill-tokens from 4096"));
}

TEST(ServerAdvice, OfWhatWasSurvivedIsToMakeItRare) {
  auto error = of(OomSource::Vllm);
  error.fatal = false;
  EXPECT_THAT(advice(error)[0], HasSubstr("computed again"));
  error.source = OomSource::SgLang;
  EXPECT_THAT(advice(error)[0], HasSubstr("taken back"));
}

TEST(ServerAdvice, OfVllmSaysToRaiseTheShareOnce) {
  auto error = of(OomSource::Vllm, OomPhase::KvCache);
  error.cache_left = -(1LL << 30);
  const auto measures = advice(error);
  EXPECT_EQ(std::count_if(measures.begin(), measures.end(),
                          [](const auto& m) { return m.find("--gpu-memory-utilization") != std::string::npos; }),
            1);
}

TEST(ServerAdvice, OfVllmsProfilingIsOfTheOthers) {
  auto error = of(OomSource::Vllm, OomPhase::Startup);
  error.free = 11_GiB;
  EXPECT_THAT(advice(error)[0], HasSubstr("no other process start or end"));
}

}  // namespace
}  // namespace dualgpuopt::memory
