#include "dualgpuopt/memory/oom/oom_error.h"

namespace dualgpuopt::memory {

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

bool is_implausible(Bytes bytes) { return bytes > Bytes{64} << 40; }

}  // namespace dualgpuopt::memory
