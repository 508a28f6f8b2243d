#include "oom/oom_wordings.h"

#include <array>
#include <cmath>
#include <utility>

#include "oom/text_amounts.h"

namespace dualgpuopt::memory {
namespace {

template <typename Value>
bool fill(std::optional<Value>& field, std::optional<Value> value) {
  if (field || !value) return false;
  field = value;
  return true;
}

std::optional<int> gpu_after(std::string_view line, std::string_view words) {
  const auto number = whole_after(line, words);
  return number && *number < 4096 ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

OomError error_of(OomSource source, OomPhase phase = OomPhase::Unknown) {
  OomError error;
  error.source = source;
  error.phase = phase;
  return error;
}

// --- PyTorch ---

/// "Process 1234 has 20.10 GiB memory in use."
void add_other_processes(OomError& error, std::string_view line) {
  for (auto at = line.find("Process "); at != std::string_view::npos; at = line.find("Process ", at + 1)) {
    const auto sentence = line.substr(at, line.find("in use", at) - at);
    const auto pid = whole_after(sentence, "Process ");
    const auto used = amount_before(sentence, " memory");
    if (pid && *pid < 1U << 31 && used) error.others.push_back({static_cast<int>(*pid), *used});
  }
}

bool add_pytorch(OomError& error, std::string_view line) {
  bool added = fill(error.requested, amount_after(line, "Tried to allocate "));
  added |= fill(error.gpu, gpu_after(line, "(GPU "));
  added |= fill(error.gpu, gpu_after(line, "GPU "));
  added |= fill(error.total, amount_before(line, " total capacity"));
  added |= fill(error.total, amount_after(line, "total capacity of "));
  added |= fill(error.total, amount_after(line, "total capacty of "));
  added |= fill(error.free, amount_before(line, " is free"));
  added |= fill(error.free, amount_before(line, " free;"));
  added |= fill(error.allocated, amount_before(line, " already allocated"));
  added |= fill(error.allocated, amount_before(line, " is allocated by PyTorch"));
  added |= fill(error.reserved, amount_before(line, " reserved in total"));
  added |= fill(error.reserved, amount_before(line, " cached)"));
  added |= fill(error.reserved_unused, amount_before(line, " is reserved by PyTorch but unallocated"));
  added |= fill(error.private_pools, amount_before(line, " allocated in private pools"));
  added |= fill(error.process, amount_after(line, "this process has "));
  added |= fill(error.limit, amount_before(line, " allowed;"));
  const auto before = error.others.size();
  add_other_processes(error, line);
  return added || error.others.size() > before;
}

std::optional<OomError> parse_pytorch(std::string_view line) {
  constexpr std::array words{"CUDA out of memory", "HIP out of memory", "XPU out of memory",
                             "MPS backend out of memory"};
  bool is_it = false;
  for (const auto* word : words) is_it = is_it || has(line, word);
  if (!is_it) return std::nullopt;
  auto error = error_of(OomSource::PyTorch);
  add_pytorch(error, line);
  fill(error.allocated, amount_after(line, "MPS allocated: "));
  fill(error.elsewhere, amount_after(line, "other allocations: "));
  fill(error.limit, amount_after(line, "max allowed: "));
  return error;
}

// --- llama.cpp ---

std::optional<OomPhase> llamacpp_phase(std::string_view line) {
  if (has(line, "compute buffer") || has(line, "allocate compute") || has(line, "gallocr_reserve"))
    return OomPhase::Compute;
  if (has(line, "kv cache") || has(line, "kv_cache_init") || has(line, "llama_kv_cache:")) return OomPhase::KvCache;
  if (has(line, "alloc_tensor_range") || has(line, "error loading model")) return OomPhase::Weights;
  return std::nullopt;
}

bool add_llamacpp(OomError& error, std::string_view line) {
  bool added = false;
  if (has(line, "without pipeline parallelism")) {
    error.fatal = false;
    added = true;
  }
  // The size in bytes is the exact one; the error's own line rounds it to hundredths of a MiB.
  if (const auto exact = amount_after(line, "buffer of size "); exact && has(line, "failed to allocate")) {
    error.requested = exact;
    added = true;
  }
  const auto phase = llamacpp_phase(line);
  if (phase && (error.phase == OomPhase::Unknown || error.phase == *phase)) {
    error.phase = *phase;
    added = true;
  }
  return added;
}

std::optional<OomError> parse_llamacpp(std::string_view line) {
  const bool is_allocation =
      has(line, "Malloc failed: out of memory") || (has(line, "buffer_type_alloc_buffer") && has(line, "failed"));
  if (is_allocation) {
    auto error = error_of(OomSource::LlamaCpp, llamacpp_phase(line).value_or(OomPhase::Unknown));
    error.requested = amount_after(line, "allocating ");
    error.gpu = gpu_after(line, "on device ");
    return error;
  }
  if (has(line, "failed to fit params to free device memory")) {
    auto error = error_of(OomSource::LlamaCpp, OomPhase::Startup);
    error.fatal = false;
    return error;
  }
  constexpr std::array alone{"unable to allocate CUDA", "unable to allocate ROCm", "unable to allocate Vulkan",
                             "failed to allocate buffer for kv cache", "failed to allocate compute"};
  for (const auto* words : alone) {
    if (has(line, words)) return error_of(OomSource::LlamaCpp, llamacpp_phase(line).value_or(OomPhase::Weights));
  }
  if (has(line, "alloc failed (") && has(line, "out of memory")) {
    auto error = error_of(OomSource::LlamaCpp);
    error.requested = amount_after(line, "alloc failed (");
    return error;
  }
  if (has(line, "failed to allocate") && has(line, "buffer of size ")) {
    auto error = error_of(OomSource::LlamaCpp);
    add_llamacpp(error, line);
    return error;
  }
  return std::nullopt;
}

// --- vLLM ---

std::optional<Bytes> gib_after(std::string_view line, std::string_view words) {
  const auto number = number_after(line, words);
  return number && *number >= 0 && *number < 0x1p33 ? std::optional(static_cast<Bytes>(*number * 0x1p30))
                                                    : std::nullopt;
}

std::optional<OomError> parse_vllm(std::string_view line) {
  auto error = error_of(OomSource::Vllm, OomPhase::Startup);
  if (has(line, "that can be stored in KV cache (")) {
    error.phase = OomPhase::KvCache;
    error.context = whole_after(line, "max seq len (");
    error.cache_tokens = whole_after(line, "stored in KV cache (");
    return error;
  }
  if (has(line, "KV cache is needed")) {
    error.phase = OomPhase::KvCache;
    error.context = whole_after(line, "max seq len (");
    error.cache_needed = amount_before(line, " KV cache is needed");
    const auto left = amount_after(line, "available KV cache memory (");
    if (left) error.cache_left = static_cast<SignedBytes>(*left);
    return error;
  }
  if (has(line, "No available memory for the cache blocks")) {
    error.phase = OomPhase::KvCache;
    return error;
  }
  if (const auto left = number_after(line, "Available KV cache memory: "); left && *left <= 0) {
    error.phase = OomPhase::KvCache;
    error.cache_left = static_cast<SignedBytes>(std::llround(std::max(*left, -1e6) * 0x1p30));
    return error;
  }
  if (has(line, "is less than desired GPU memory utilization")) {
    const auto device = rest_after(line, "on device (");  // "59.32/79.15 GiB)"
    error.free = gib_after(device, "");
    error.total = amount_after(device, "/");
    error.utilization = number_after(line, "utilization (");
    error.requested = amount_after(rest_after(line, "utilization ("), ", ");
    return error;
  }
  return std::nullopt;
}

// --- JAX, TensorFlow and the others ---

std::optional<double> element_bytes(std::string_view type) {
  constexpr std::array types{std::pair{"float", 4.0},  std::pair{"half", 2.0},     std::pair{"bfloat16", 2.0},
                             std::pair{"double", 8.0}, std::pair{"int32", 4.0},    std::pair{"int64", 8.0},
                             std::pair{"int8", 1.0},   std::pair{"uint8", 1.0},    std::pair{"bool", 1.0},
                             std::pair{"int16", 2.0},  std::pair{"complex64", 8.0}};
  for (const auto& [name, bytes] : types) {
    if (type == name) return bytes;
  }
  return std::nullopt;
}

/// "shape[500,17,17,4032] and type float".
std::optional<Bytes> tensor_bytes_in(std::string_view line) {
  const auto open = line.find("shape[");
  const auto close = line.find(']', open);
  const auto type_at = line.find("and type ", close);
  if (open == std::string_view::npos || close == std::string_view::npos || type_at == std::string_view::npos)
    return std::nullopt;
  const auto type = line.substr(type_at + 9, line.find(' ', type_at + 9) - type_at - 9);
  auto bytes = element_bytes(type);
  auto sizes = line.substr(open + 6, close - open - 6);
  while (bytes && !sizes.empty()) {
    const auto comma = std::min(sizes.find(','), sizes.size());
    const auto size = whole_after(sizes.substr(0, comma), "");
    bytes = size ? std::optional(*bytes * static_cast<double>(*size)) : std::nullopt;
    sizes.remove_prefix(std::min(comma + 1, sizes.size()));
  }
  return bytes && *bytes < 0x1p64 ? std::optional(static_cast<Bytes>(*bytes)) : std::nullopt;
}

std::optional<OomError> parse_tensorflow(std::string_view line) {
  auto error = error_of(OomSource::TensorFlow);
  error.gpu = gpu_after(line, "device:GPU:");
  if (has(line, "OOM when allocating tensor")) {
    error.requested = tensor_bytes_in(line);
    return error;
  }
  if (has(line, "ran out of memory trying to allocate ")) {
    error.requested = amount_after(line, "trying to allocate ");
    error.gpu = gpu_after(line, "(GPU_");
    error.fatal = !has(line, "not a failure");
    return error;
  }
  if (has(line, "failed to allocate ") && (has(line, "_ERROR_OutOfMemory") || has(line, "CUDA_ERROR_OUT_OF_MEMORY"))) {
    error.requested = amount_before(line, ") from device");
    error.requested = error.requested ? error.requested : amount_after(line, "failed to allocate ");
    return error;
  }
  return std::nullopt;
}

std::optional<OomError> parse_jax(std::string_view line) {
  const bool is_exhausted = has(line, "RESOURCE_EXHAUSTED") || has(line, "Resource exhausted: Out of memory");
  if (!is_exhausted) return std::nullopt;
  auto error = error_of(OomSource::Jax);
  error.requested = amount_after(line, "iB (");  // "2.99GiB (3206250496B)"
  fill(error.requested, amount_after(line, "trying to allocate "));
  fill(error.requested, amount_after(line, "Out of memory allocating "));
  fill(error.requested, amount_after(line, "Failed to allocate request for "));
  error.gpu = gpu_after(line, "device ordinal ");
  return error;
}

std::optional<OomError> parse_ollama(std::string_view line) {
  auto error = error_of(OomSource::Ollama, OomPhase::Startup);
  if (has(line, "requires more system memory (")) {
    error.is_host = true;
    error.requested = amount_after(line, "requires more system memory (");
    error.free = amount_after(line, "than is available (");
    return error;
  }
  constexpr std::array words{"you may not have enough available memory to run this model",
                             "insufficient memory - required allocations", "model request too large for system"};
  for (const auto* word : words) {
    if (has(line, word)) return error;
  }
  return std::nullopt;
}

std::optional<OomError> parse_arrays(std::string_view line) {
  if (has(line, "Out of memory allocating ") && has(line, "allocated so far")) {
    auto error = error_of(OomSource::CuPy);
    error.requested = amount_after(line, "Out of memory allocating ");
    error.allocated = amount_after(line, "allocated so far: ");
    error.limit = amount_after(line, "limit set to: ");
    return error;
  }
  if (has(line, "RMM failure") || (has(line, "rmm") && has(line, "bad_alloc"))) {
    auto error = error_of(OomSource::Rmm);
    error.requested = amount_after(line, "failed to allocate ");
    return error;
  }
  if (has(line, "Failed to allocate memory for requested buffer of size ")) {
    auto error = error_of(OomSource::OnnxRuntime);
    error.requested = amount_after(line, "requested buffer of size ");
    return error;
  }
  return std::nullopt;
}

std::optional<OomError> parse_cuda(std::string_view line) {
  constexpr std::array words{
      "CUDA_ERROR_OUT_OF_MEMORY",     "cudaErrorMemoryAllocation",     "CUDA error: out of memory",
      "HIP error: out of memory",     "hipErrorOutOfMemory",           "hipErrorMemoryAllocation",
      "CUDA error 2: out of memory",  "cuda runtime error (2)",        "CUBLAS_STATUS_ALLOC_FAILED",
      "CUDNN_STATUS_ALLOC_FAILED",    "VK_ERROR_OUT_OF_DEVICE_MEMORY", "ErrorOutOfDeviceMemory",
      "CUDA error (2): out of memory"};
  for (const auto* word : words) {
    if (has(line, word)) return error_of(OomSource::Cuda);
  }
  return std::nullopt;
}

}  // namespace

std::optional<OomError> parse_oom_line(std::string_view line) {
  for (auto* const parse : {parse_pytorch, parse_vllm, parse_ollama, parse_arrays, parse_llamacpp, parse_jax,
                            parse_tensorflow, parse_cuda}) {
    if (auto error = parse(line)) return error;
  }
  return std::nullopt;
}

bool add_oom_details(OomError& error, std::string_view line) {
  if (error.source == OomSource::PyTorch) return add_pytorch(error, line);
  if (error.source == OomSource::LlamaCpp) return add_llamacpp(error, line);
  return false;
}

}  // namespace dualgpuopt::memory
