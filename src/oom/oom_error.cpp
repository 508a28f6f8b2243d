#include "dualgpuopt/memory/oom/oom_error.h"

#include <algorithm>
#include <numeric>

namespace dualgpuopt::memory {
namespace {

/// What a process needs on a GPU beyond its framework's allocator, at most: contexts, kernels, libraries' workspaces.
constexpr Bytes kMostOverhead = 4_GiB;

std::optional<Bytes> minus(std::optional<Bytes> minuend, std::optional<Bytes> subtrahend) {
  if (!minuend || !subtrahend || *minuend < *subtrahend || is_implausible(*minuend)) return std::nullopt;
  return *minuend - *subtrahend;
}

std::optional<Bytes> sum(std::optional<Bytes> a, std::optional<Bytes> b) {
  if (!a || !b || is_implausible(*a) || is_implausible(*b)) return std::nullopt;
  return *a + *b;
}

/// Sets what is empty, and notes that it was reckoned.
void derive(OomError& error, std::string_view name, std::optional<Bytes> OomError::*member,
            std::optional<Bytes> value) {
  if (error.*member || !value || is_implausible(error, name)) return;
  error.*member = value;
  error.derived.emplace_back(name);
}

/// Of the processes named, the one that may be the failing process itself.
void mark_this(OomError& error) {
  if (error.process || !error.reserved) return;
  OomProcess* likeliest = nullptr;
  for (auto& process : error.others) {
    const auto overhead = minus(process.used, error.reserved);
    const bool fits = overhead && *overhead <= kMostOverhead;
    if (fits && (likeliest == nullptr || *process.used < *likeliest->used)) likeliest = &process;
  }
  if (likeliest != nullptr) likeliest->may_be_this = true;
}

/// Only of processes that are certainly others.
std::optional<Bytes> sum_of_others(const OomError& error) {
  const auto& all = error.others;
  const auto is_unclear = [](const OomProcess& p) { return p.may_be_this || !p.used || is_implausible(*p.used); };
  if (error.is_host() || all.empty() || std::any_of(all.begin(), all.end(), is_unclear)) return std::nullopt;
  return std::accumulate(all.begin(), all.end(), Bytes{0}, [](Bytes sum, const auto& p) { return sum + *p.used; });
}

void note_implausible(OomError& error) {
  for (const auto& size : oom_sizes()) {
    const auto& value = error.*size.member;
    if (value && is_implausible(*value) && !is_implausible(error, size.name)) error.implausible.emplace_back(size.name);
  }
}

}  // namespace

std::string_view to_string(OomSource source) {
  switch (source) {
    case OomSource::Cuda: return "CUDA";
    case OomSource::PyTorch: return "PyTorch";
    case OomSource::Jax: return "JAX";
    case OomSource::TensorFlow: return "TensorFlow";
    case OomSource::LlamaCpp: return "llama.cpp";
    case OomSource::Vllm: return "vLLM";
    case OomSource::Ollama: return "Ollama";
    case OomSource::CuPy: return "CuPy";
    case OomSource::Rmm: return "RMM";
    case OomSource::OnnxRuntime: return "ONNX Runtime";
    case OomSource::SgLang: return "SGLang";
    case OomSource::Tgi: return "TGI";
    case OomSource::TensorRt: return "TensorRT";
    case OomSource::Paddle: return "PaddlePaddle";
    case OomSource::CudaJl: return "CUDA.jl";
    case OomSource::Mlx: return "MLX";
    case OomSource::NumPy: return "NumPy";
    case OomSource::Linux: return "Linux";
  }
  return "unknown";
}

std::string_view to_string(OomBackend backend) {
  switch (backend) {
    case OomBackend::Unknown: return "unknown";
    case OomBackend::Cuda: return "cuda";
    case OomBackend::Hip: return "hip";
    case OomBackend::Xpu: return "xpu";
    case OomBackend::Npu: return "npu";
    case OomBackend::Mps: return "mps";
    case OomBackend::Metal: return "metal";
    case OomBackend::Vulkan: return "vulkan";
    case OomBackend::Sycl: return "sycl";
    case OomBackend::OpenCl: return "opencl";
    case OomBackend::DirectMl: return "directml";
    case OomBackend::Tpu: return "tpu";
    case OomBackend::Host: return "host";
  }
  return "unknown";
}

std::string_view to_string(OomPhase phase) {
  switch (phase) {
    case OomPhase::Unknown: return "unknown";
    case OomPhase::Weights: return "weights";
    case OomPhase::KvCache: return "kv_cache";
    case OomPhase::Compute: return "compute";
    case OomPhase::Startup: return "startup";
  }
  return "unknown";
}

const std::vector<OomSize>& oom_sizes() {
  static const std::vector<OomSize> sizes{
      {"requested_bytes", &OomError::requested},
      {"total_bytes", &OomError::total},
      {"free_bytes", &OomError::free},
      {"allocated_bytes", &OomError::allocated},
      {"reserved_bytes", &OomError::reserved},
      {"unused_bytes", &OomError::reserved_unused},
      {"private_pools_bytes", &OomError::private_pools},
      {"process_bytes", &OomError::process},
      {"limit_bytes", &OomError::limit},
      {"elsewhere_bytes", &OomError::elsewhere},
      {"cache_needed_bytes", &OomError::cache_needed},
  };
  return sizes;
}

bool is_implausible(Bytes bytes) { return bytes > 16_TiB; }

bool is_implausible(const OomError& error, std::string_view name) {
  return std::find(error.implausible.begin(), error.implausible.end(), name) != error.implausible.end();
}

void complete(OomError& error) {
  note_implausible(error);
  derive(error, "reserved_bytes", &OomError::reserved, sum(error.allocated, error.reserved_unused));
  derive(error, "unused_bytes", &OomError::reserved_unused, minus(error.reserved, error.allocated));
  mark_this(error);
  const auto in_use = minus(error.total, error.free);
  derive(error, "elsewhere_bytes", &OomError::elsewhere, minus(in_use, error.process));
  derive(error, "elsewhere_bytes", &OomError::elsewhere, sum_of_others(error));
  derive(error, "elsewhere_bytes", &OomError::elsewhere, minus(in_use, error.reserved));
  note_implausible(error);  // sums may be
}

}  // namespace dualgpuopt::memory
