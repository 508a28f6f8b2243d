// An out-of-memory error as a log tells it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// Whose words the error is in; Cuda: the driver's or runtime's own, by a program that is not known.
enum class OomSource {
  Cuda,
  PyTorch,
  Jax,
  TensorFlow,
  LlamaCpp,
  Vllm,
  Ollama,
  CuPy,
  Rmm,
  OnnxRuntime,
  SgLang,
  Tgi,  ///< Hugging Face's text-generation-inference.
  TensorRt,
  Paddle,
  CudaJl,
  Mlx,
  NumPy,
  Linux,  ///< The kernel, or who passes its word on, ended a process for want of the host's memory.
};
/// "PyTorch", "llama.cpp".
[[nodiscard]] std::string_view to_string(OomSource source);

/// Which memory ran out; Unknown where the text does not tell.
enum class OomBackend { Unknown, Cuda, Hip, Xpu, Npu, Mps, Metal, Vulkan, Sycl, OpenCl, DirectMl, Tpu, Host };
/// In lower case, as JSON shows it.
[[nodiscard]] std::string_view to_string(OomBackend backend);

/// What was being made room for.
enum class OomPhase { Unknown, Weights, KvCache, Compute, Startup };
[[nodiscard]] std::string_view to_string(OomPhase phase);

/// Which words PyTorch used: up to 1.3 "cached", up to 2.0 a list in brackets, sentences since. It tells which settings
/// it knows.
enum class PyTorchEra { Unknown, Cached, Brackets, Sentences };

/// A process that the text names by its number.
struct OomProcess {
  int pid = 0;
  std::optional<Bytes> used;  ///< Empty where the number printed is no size.
  /// It holds about what the failing process must hold, and the text names no other as the failing one: in a container,
  /// where process numbers are others, this is how a process sees itself.
  bool may_be_this = false;

  friend bool operator==(const OomProcess&, const OomProcess&) = default;
};

/// What is not in the text is empty, or follows from it and is then named in `derived`; nothing is guessed.
struct OomError {
  OomSource source = OomSource::Cuda;
  OomBackend backend = OomBackend::Unknown;
  OomPhase phase = OomPhase::Unknown;
  PyTorchEra era = PyTorchEra::Unknown;
  std::optional<OomSource> application;  ///< A server that earlier lines name, inside which `source` failed.
  std::uint64_t line = 0;                ///< Where it first stands, from 1.
  std::uint64_t times = 1;               ///< How often the like of it was seen.
  bool fatal = true;                     ///< False where the program said that it goes on without.
  std::string text;                      ///< The line as valid UTF-8, at most 300 bytes of it.

  std::optional<int> gpu;  ///< As the text numbers it.
  std::optional<Bytes> requested;
  std::optional<Bytes> total;
  std::optional<Bytes> free;
  std::optional<Bytes> allocated;        ///< In use by the framework's tensors.
  std::optional<Bytes> reserved;         ///< By the framework's allocator, in use or not.
  std::optional<Bytes> reserved_unused;  ///< Of that, what no tensor uses: cached or in fragments.
  std::optional<Bytes> private_pools;    ///< Of CUDA graphs.
  std::optional<Bytes> process;          ///< The failing process with everything.
  std::optional<Bytes> limit;            ///< That the framework set itself, or a user did.
  std::optional<Bytes> elsewhere;        ///< In use, but not by the failing process's allocator.
  std::vector<OomProcess> others;        ///< Those that the text names.

  std::optional<SignedBytes> cache_left;           ///< vLLM: what is left for the cache; negative: so much is missing.
  std::optional<Bytes> cache_needed;               ///< vLLM: for one request of the whole context.
  std::optional<std::uint64_t> context;            ///< Tokens that were asked for,
  std::optional<std::uint64_t> cache_tokens;       ///< that the cache holds,
  std::optional<std::uint64_t> estimated_context;  ///< and that would fit, as the program reckons.
  std::optional<double> utilization;               ///< vLLM: the share of the GPU it may take.
  std::vector<std::uint64_t> shape;                ///< Of the tensor that found no place.
  std::string dtype;                               ///< Of that tensor; empty: not told.

  std::vector<std::string> derived;      ///< JSON names of what was reckoned from other numbers, not read.
  std::vector<std::string> implausible;  ///< JSON names of numbers that no machine has, or that are negative.

  [[nodiscard]] bool is_host() const { return backend == OomBackend::Host; }
};

/// A size of an OomError under its JSON name.
struct OomSize {
  std::string_view name;
  std::optional<Bytes> OomError::*member;
};
/// All sizes of an OomError.
[[nodiscard]] const std::vector<OomSize>& oom_sizes();

/// More than any GPU or allocation has, above 16 TiB: a broken number in the text, or in the program.
[[nodiscard]] bool is_implausible(Bytes bytes);
/// Whether the size of this JSON name is.
[[nodiscard]] bool is_implausible(const OomError& error, std::string_view name);

/// Reckons what follows from the numbers read, and notes those that no machine has.
void complete(OomError& error);

}  // namespace dualgpuopt::memory
