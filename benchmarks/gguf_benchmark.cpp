// Reading the header of a large model and estimating its memory. The bound is 20 ms.
#include <benchmark/benchmark.h>

#include "dualgpuopt/memory/models/estimate.h"
#include "models/gguf_writer.h"

namespace dualgpuopt::memory {
namespace {

/// 80 layers of 9 tensors, a vocabulary of 150,000 words and as many scores, kinds and merges.
void write_large_model(const std::filesystem::path& file) {
  testing::GgufWriter writer;
  writer.text("general.architecture", "qwen2").number("qwen2.block_count", 80).number("qwen2.embedding_length", 8192);
  writer.number("qwen2.attention.head_count", 64).number("qwen2.attention.head_count_kv", 8);
  writer.number("qwen2.feed_forward_length", 29568).texts("tokenizer.ggml.tokens", 150'000, "a word ");
  writer.numbers("tokenizer.ggml.token_type", std::vector<std::int32_t>(150'000))
      .texts("tokenizer.ggml.merges", 150'000, "mer ge");
  writer.tensor("token_embd.weight", {8192, 150'000}, 12).tensor("output.weight", {8192, 150'000}, 14);
  for (int layer = 0; layer < 80; ++layer) {
    for (int i = 0; i < 9; ++i) {
      writer.tensor("blk." + std::to_string(layer) + ".tensor_" + std::to_string(i) + ".weight", {8192, 8192}, 12);
    }
  }
  writer.write(file);
}

void read_and_estimate(benchmark::State& state) {
  const testing::TemporaryFile file("large.gguf");
  write_large_model(file.path());
  LlamaCppOptions options;
  options.cache.context = 32768;
  options.gpus = 2;
  for (auto _ : state) {
    const auto model = load_gguf_model(file.path());
    if (!model) state.SkipWithError(model.error().describe().c_str());
    benchmark::DoNotOptimize(llamacpp_need(*model, options));
  }
}
BENCHMARK(read_and_estimate)->Unit(benchmark::kMillisecond);

/// With what else would fit, and what would make it fit, on GPUs that are too small.
void read_and_turn_round(benchmark::State& state) {
  const testing::TemporaryFile file("large.gguf");
  write_large_model(file.path());
  EstimateRequest request;
  request.model = file.path();
  request.context = 32768;
  request.override_tensor = {"blk.[0-7].tensor_[0-3]=CPU"};
  request.gpus = "16GiB";
  for (std::int64_t i = 1; i < state.range(0); ++i) request.gpus += ",8GiB";
  for (auto _ : state) {
    const auto estimate = estimate_llamacpp(request);
    if (!estimate) state.SkipWithError(estimate.error().describe().c_str());
    benchmark::DoNotOptimize(estimate);
  }
}
BENCHMARK(read_and_turn_round)->ArgName("gpus")->Arg(1)->Arg(2)->Arg(8)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace dualgpuopt::memory
