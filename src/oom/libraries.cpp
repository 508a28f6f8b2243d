// Libraries with a message or two of their own: ONNX Runtime, TensorRT, CuPy, RMM, NumPy, PaddlePaddle, CUDA.jl.
#include "oom/oom_family.h"

namespace dualgpuopt::memory {
namespace {

struct Library {
  OomSource framework;
  bool (*starts)(std::string_view line);
};

bool is_onnx(std::string_view line) {
  return contains_any(line, {"for requested buffer of size", "is smaller than requested bytes of"}) ||
         (contains(line, "onnxruntime") && contains_any(line, {"out of memory", "alloc_failed", "8007000e"}));
}

/// TensorRT's builder tries other tactics then.
bool is_skipped_tactic(std::string_view line) {
  return contains_any(line, {"due to insufficient memory on requested size of",
                             "device memory is insufficient to use "
                             "tactic"});
}

bool is_tensorrt(std::string_view line) {
  if (is_skipped_tactic(line)) return true;
  return contains(line, "requested amount of gpu memory") ||
         (contains(line, "outofmemory (") && contains_any(line, {"requested size was", "no further information"}));
}

bool is_cupy(std::string_view line) {
  return contains_any(line, {"out of memory allocating", "out of memory to allocate"}) &&
         contains_any(line, {"cupy", "allocated so far", "(total "});
}

bool is_rmm(std::string_view line) {
  const bool is_its_own =
      contains_any(line, {"rmm failure", "/rmm/", "rmm::", "rmm error", "rmm_error", "bad_alloc: out_of_memory",
                          "bad_alloc: cuda error", "[failure maximum pool size"});
  return is_its_own &&
         contains_any(line, {"pool size exceeded", "out of memory", "out_of_memory", "memory limit",
                             "failed to allocate", "cudaerrormemoryallocation", "bad_alloc", "failure at"});
}

bool is_numpy(std::string_view line) {
  return contains(line, "unable to allocate ") && contains(line, "for an array with shape");
}

bool is_paddle(std::string_view line) { return contains(line, "out of memory error on gpu"); }
bool is_cuda_jl(std::string_view line) { return contains(line, "out of gpu memory trying to allocate"); }

constexpr Library kLibraries[] = {{OomSource::OnnxRuntime, is_onnx}, {OomSource::TensorRt, is_tensorrt},
                                  {OomSource::CuPy, is_cupy},        {OomSource::Rmm, is_rmm},
                                  {OomSource::NumPy, is_numpy},      {OomSource::Paddle, is_paddle},
                                  {OomSource::CudaJl, is_cuda_jl}};

bool starts(std::string_view line) {
  for (const auto& library : kLibraries) {
    if (library.starts(line)) return true;
  }
  return false;
}

OomSource framework_of(std::string_view text) {
  for (const auto& library : kLibraries) {
    if (library.starts(text)) return library.framework;
  }
  return OomSource::Cuda;
}

void read_onnx(std::string_view text, OomError& error) {
  put(error, &OomError::requested, amount_after(text, "requested buffer of size "));
  put(error, &OomError::requested, amount_after(text, "requested bytes of "));
  put(error, &OomError::free, amount_after(text, "available memory of "));
  error.gpu = device_after(text, "gpu=");
}

void read_tensorrt(std::string_view text, OomError& error) {
  put(error, &OomError::requested, amount_after(text, "requested size was "));
  put(error, &OomError::requested, amount_after(text, "amount of gpu memory ("));
  put(error, &OomError::requested, amount_after(text, "on requested size of "));
  put(error, &OomError::requested, amount_after(text, "device request: "));
  put(error, &OomError::free, amount_after(text, " available: "));
  error.fatal = !is_skipped_tactic(text);
}

void read_cupy(std::string_view text, OomError& error) {
  put(error, &OomError::requested, exact_amount_after(text, "memory allocating "));
  put(error, &OomError::requested, exact_amount_after(text, "memory to allocate "));
  put(error, &OomError::allocated, amount_after(text, "allocated so far: "));
  put(error, &OomError::allocated, amount_after(text, "(total "));
  put(error, &OomError::limit, amount_after(text, "limit set to: "));
}

void read_rmm(std::string_view text, OomError& error) {
  put(error, &OomError::requested, exact_amount_after(text, "failed to allocate "));
  constexpr std::string_view kSizes = "current/max/try size = ";  // newer: "… = 1 GiB, 2 GiB, 3 GiB"
  const auto at = text.find(kSizes);
  const auto current = at == std::string_view::npos ? std::nullopt : amount_at(text, at + kSizes.size());
  put(error, &OomError::reserved, current);
  if (current) put(error, &OomError::limit, amount_after(text.substr(current->end), ","));
}

void read_numpy(std::string_view text, OomError& error) {
  error.backend = OomBackend::Host;
  put(error, &OomError::requested, amount_after(text, "unable to allocate "));
}

void read_paddle(std::string_view text, OomError& error) {
  error.gpu = device_after(text, "error on gpu ");
  put(error, &OomError::requested, amount_after(text, "cannot allocate "));
  put(error, &OomError::allocated, amount_before(text, " memory has been allocated"));
  put(error, &OomError::free, amount_after(text, "available memory is only "));
}

/// "Effective GPU memory usage: 99.51% (7.751 GiB/7.789 GiB)", "Memory pool usage: 2.345 GiB (3.000 GiB reserved)"
void read_cuda_jl(std::string_view text, OomError& error) {
  put(error, &OomError::requested, amount_after(text, "trying to allocate "));
  put(error, &OomError::allocated, amount_after(text, "memory pool usage: "));
  put(error, &OomError::reserved, amount_before(text, " reserved"));
  const auto usage = text.find("gpu memory usage: ");
  if (usage != std::string_view::npos) put(error, &OomError::total, amount_after(text.substr(usage, 100), "/"));
}

void read(std::string_view text, OomError& error) {
  error.source = framework_of(text);
  error.fatal = true;
  error.backend = error.source == OomSource::OnnxRuntime ? OomBackend::Unknown : OomBackend::Cuda;
  switch (error.source) {
    case OomSource::OnnxRuntime: return read_onnx(text, error);
    case OomSource::TensorRt: return read_tensorrt(text, error);
    case OomSource::CuPy: return read_cupy(text, error);
    case OomSource::Rmm: return read_rmm(text, error);
    case OomSource::NumPy: return read_numpy(text, error);
    case OomSource::Paddle: return read_paddle(text, error);
    case OomSource::CudaJl: return read_cuda_jl(text, error);
    default: return;
  }
}

}  // namespace

OomFamily libraries_family() { return {starts, nothing_continues, read, kWrappedLines}; }

}  // namespace dualgpuopt::memory
