// llama.cpp and all else that is built on ggml: its backends' buffers and the steps that wanted them.
#include "oom/oom_family.h"

namespace dualgpuopt::memory {
namespace {

/// A buffer was wanted and not got; which one stands in the lines after.
bool is_refusal(std::string_view line) {
  if (contains(line, "allocating ") && contains_any(line, {"malloc failed", "alloc failed"})) return true;
  if (contains(line, "not enough space in the ") && contains(line, "memory pool")) return true;
  if (contains(line, "can't allocate ") && contains(line, "of memory on device")) return true;
  return contains_any(
      line, {"memory allocation of size", "insufficient memory (", "exceeds device memory allocation",
             "exceeds device buffer size", "alloc params backend buffer failed", "failed for self-attention cache"});
}

/// A step says that it has no buffer.
bool is_consequence(std::string_view line) {
  if (contains(line, "unable to allocate ") && contains(line, " buffer")) return true;
  if (contains(line, "error loading model: failed to allocate")) return true;
  return contains(line, "failed to allocate ") &&
         contains_any(line, {" buffer of size", " buffer, size", "for kv cache", "compute buffers",
                             "compute pp buffers", "compute tg buffers", "the compute buffer", "pinned memory"});
}

bool is_fit(std::string_view line) { return contains(line, "failed to fit params to free device memory"); }

bool starts(std::string_view line) { return is_refusal(line) || is_consequence(line) || is_fit(line); }

bool continues(std::string_view text, std::string_view line) {
  if (is_fit(text) || contains(text, "pinned memory") || contains(line, "pinned memory")) return false;
  return is_consequence(line) ||
         contains_any(line, {"erroroutofdevicememory", "retrying without pipeline", "failed to create context",
                             "failed to initialize the context", "error loading model", "failed to load model",
                             "failed for self-attention cache", "exiting due to model loading error",
                             "exceeds device memory allocation", "exceeds device buffer size",
                             "llama runner process has terminated"});
}

void read_requested(std::string_view text, OomError& error) {
  put(error, &OomError::requested, amount_after(text, "buffer of size "));
  put(error, &OomError::requested, amount_after(text, "buffer, size = "));
  put(error, &OomError::requested, amount_after(text, "allocation of size "));
  put(error, &OomError::requested, amount_after(text, "attempted to allocate "));
  put(error, &OomError::requested, amount_after(text, "pool (needed "));
  put(error, &OomError::free, amount_after(text, ", available "));
  put(error, &OomError::requested, amount_after(text, "can't allocate "));
  put(error, &OomError::requested, amount_after(text, "allocating "));
  put(error, &OomError::requested, amount_after(text, "failed to allocate "));
}

struct BackendName {
  std::string_view buffer;
  OomBackend backend;
};

constexpr BackendName kBackends[] = {{"cuda", OomBackend::Cuda},
                                     {"rocm", OomBackend::Hip},
                                     {"hip", OomBackend::Hip},
                                     {"vulkan", OomBackend::Vulkan},
                                     {"sycl", OomBackend::Sycl},
                                     {"opencl", OomBackend::OpenCl},
                                     {"cann", OomBackend::Npu},
                                     {"metal", OomBackend::Metal},
                                     {"insufficient memory (", OomBackend::Metal},
                                     {"cpu", OomBackend::Host},
                                     {"ggml_aligned_malloc", OomBackend::Host}};

/// The buffer's name tells most: ROCm's messages speak of cudaMalloc, too.
OomBackend backend_of(std::string_view text) {
  if (contains_any(text, {"pinned memory", "cpu buffer", "_host buffer", "ggml_aligned_malloc", "memory pool (needed"}))
    return OomBackend::Host;
  if (contains(text, "allocate rocm")) return OomBackend::Hip;
  for (const auto& name : kBackends) {
    if (contains(text, name.buffer)) return name.backend;
  }
  return OomBackend::Unknown;
}

std::optional<int> device_of(std::string_view text) {
  return first_device(text, {"on device ", "allocate cuda", "allocate rocm", "allocate vulkan", "allocate sycl",
                             "allocate cann", "allocate musa", "current device: "});
}

OomPhase phase_of(std::string_view text) {
  if (is_fit(text)) return OomPhase::Startup;
  if (contains_any(text, {"gallocr", "compute buffer", "command buffer", "compute pp", "compute tg", "graph_reserve"}))
    return OomPhase::Compute;
  if (contains_any(text, {"for kv cache", "kv_cache_init", "llama_kv_cache", "self-attention cache"}))
    return OomPhase::KvCache;
  if (contains_any(text, {"alloc_tensor_range", "loading model", "load model", "load_model", "load_tensors"}))
    return OomPhase::Weights;
  return OomPhase::Unknown;
}

/// After a refused layout, pipeline or pinned buffer it goes on with less.
bool is_fatal(std::string_view text) {
  return !is_fit(text) && !contains_any(text, {"retrying without pipeline", "pinned memory"});
}

void read(std::string_view text, OomError& error) {
  error.source = contains_any(text, {"ollama", "llama runner"}) ? OomSource::Ollama : OomSource::LlamaCpp;
  error.backend = backend_of(text);
  error.phase = phase_of(text);
  error.fatal = is_fatal(text);
  if (!error.is_host()) error.gpu = device_of(text);
  read_requested(text, error);
}

}  // namespace

OomFamily ggml_family() { return {starts, continues, read, kWrappedLines}; }

}  // namespace dualgpuopt::memory
