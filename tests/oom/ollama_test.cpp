#include "oom/scanned.h"

namespace dualgpuopt::memory {
namespace {

TEST(Ollama, MoreThanTheSystemHas) {
  const auto error =
      only_error(R"json({"error":"model requires more system memory (56.0 GiB) than is available (50.3 GiB)"})json");
  EXPECT_EQ(error.source, OomSource::Ollama);
  EXPECT_TRUE(error.is_host());
  EXPECT_EQ(error.requested, 56_GiB);
  EXPECT_EQ(error.free, gib(50.3));
}

TEST(Ollama, AStructuredLog) {
  const auto error = only_error(
      "time=2025-02-13T13:11:44 level=WARN source=server.go:134 msg=\"model request too large for system\" "
      "requested=\"24.5 GiB\" available=4294967296 total=\"31.2 GiB\"");
  EXPECT_EQ(error.requested, gib(24.5));
  EXPECT_EQ(error.free, 4_GiB);
  EXPECT_EQ(error.total, gib(31.2));
}

TEST(Ollama, ARunnerThatEnded) {
  // ollama/ollama issues 1566 and 9782
  EXPECT_EQ(only_error("Error: llama runner exited, you may not have enough available memory to run this model").source,
            OomSource::Ollama);
  EXPECT_EQ(only_error("Error: llama runner process has terminated: CUDA error: out of memory").source,
            OomSource::Ollama);
}

TEST(Ollama, ARunnerThatTheKernelEnded) {
  EXPECT_TRUE(only_error("Error: llama runner process has terminated: signal: killed").is_host());
}

TEST(Ollama, WithoutRoomOnTheGpuItTakesTheHost) {
  EXPECT_FALSE(only_error("level=DEBUG msg=\"insufficient VRAM to load any model layers\"").fatal);
}

TEST(Ollama, LlamaCppInsideAJournalIsOllamas) {
  // ollama/ollama issue 8597
  const auto error = only_error(
      "Jan 26 17:50:35 ip-1 ollama[1418]: ggml_backend_cuda_buffer_type_alloc_buffer: allocating 45108.64 MiB on "
      "device "
      "0: cudaMalloc failed: out of memory\n"
      "Jan 26 17:50:35 ip-1 ollama[1418]: llama_model_load: error loading model: unable to allocate CUDA0 buffer\n");
  EXPECT_EQ(error.source, OomSource::Ollama);
  EXPECT_EQ(error.phase, OomPhase::Weights);
  EXPECT_EQ(error.requested, mib(45108.64));
}

TEST(Ollama, TheRunnersLastWordsAreOfItsEnd) {
  const auto error = only_error(
      "Error: llama runner process has terminated: cudaMalloc failed: out of memory\n"
      "ggml_gallocr_reserve_n: failed to allocate CUDA1 buffer of size 3221225472\n");
  EXPECT_EQ(error.source, OomSource::Ollama);
  EXPECT_EQ(error.phase, OomPhase::Compute);
  EXPECT_EQ(error.requested, 3_GiB);
  EXPECT_EQ(error.gpu, 1);
}

TEST(Ollama, CudasWordsInItsLogAreOllamas) {
  EXPECT_EQ(only_error("ollama[7]: starting runner\nCUDA error: out of memory\n").source, OomSource::Ollama);
}

}  // namespace
}  // namespace dualgpuopt::memory
