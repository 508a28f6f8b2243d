// An out-of-memory error as a log tells it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

enum class OomSource { Cuda, PyTorch, Jax, TensorFlow, LlamaCpp, Vllm, Ollama, CuPy, Rmm, OnnxRuntime };
/// "PyTorch", "llama.cpp".
[[nodiscard]] std::string_view to_string(OomSource source);

/// What was being made room for.
enum class OomPhase { Unknown, Weights, KvCache, Compute, Startup };
[[nodiscard]] std::string_view to_string(OomPhase phase);

struct OomProcess {
  int pid = 0;
  Bytes used = 0;

  friend bool operator==(const OomProcess&, const OomProcess&) = default;
};

/// What is not in the text is empty; nothing is guessed.
struct OomError {
  OomSource source = OomSource::Cuda;
  OomPhase phase = OomPhase::Unknown;
  std::uint64_t line = 0;   ///< Where it first stands, from 1.
  std::uint64_t times = 1;  ///< How often the like of it was seen.
  bool fatal = true;        ///< False where the program said that it goes on without.
  std::string text;         ///< The line, at most 300 bytes of it.

  std::optional<int> gpu;
  std::optional<Bytes> requested;
  std::optional<Bytes> total;
  std::optional<Bytes> free;
  std::optional<Bytes> allocated;        ///< In use by the framework's tensors.
  std::optional<Bytes> reserved;         ///< By the framework's allocator, in use or not.
  std::optional<Bytes> reserved_unused;  ///< Of that, what no tensor uses.
  std::optional<Bytes> private_pools;    ///< Of CUDA graphs.
  std::optional<Bytes> process;          ///< The failing process with everything.
  std::optional<Bytes> limit;            ///< That the framework set itself.
  std::optional<Bytes> elsewhere;        ///< What others hold.
  std::vector<OomProcess> others;        ///< Those that the text names.

  std::optional<SignedBytes> cache_left;      ///< vLLM: what is left for the cache; negative: so much is missing.
  std::optional<Bytes> cache_needed;          ///< vLLM: for one request of the whole context.
  std::optional<std::uint64_t> context;       ///< Tokens that were asked for,
  std::optional<std::uint64_t> cache_tokens;  ///< and that the cache holds.
  std::optional<double> utilization;          ///< vLLM: the share of the GPU it may take.
  bool is_host = false;                       ///< It is the host's memory that ran out.
};

/// More than any machine has: a broken number in the text.
[[nodiscard]] bool is_implausible(Bytes bytes);

}  // namespace dualgpuopt::memory
