// The words of CUDA, HIP, cuBLAS, Vulkan, SYCL and OpenCL themselves, by whatever program.
#include "oom/oom_family.h"

namespace dualgpuopt::memory {
namespace {

/// A message with this beginning has at most so many lines more.
constexpr std::size_t kFewLines = 4;

bool is_code_of_cuda(std::string_view line) {
  return contains_any(
      line, {"cuda_error_out_of_memory", "cudaerrormemoryallocation", "cublas_status_alloc_failed",
             "cudnn_status_alloc_failed", "cusolver_status_alloc_failed", "cufft_alloc_failed",
             "cusparse_status_alloc_failed", "curand_status_allocation_failed", "nvjpeg_status_allocator_failure",
             "optix_error_device_out_of_memory", "nv_err_no_memory"});
}

bool is_code_of_hip(std::string_view line) {
  return contains_any(line, {"hip_error_outofmemory", "hiperroroutofmemory", "hiperrormemoryallocation",
                             "rocblas_status_memory_error", "hipblas_status_alloc_failed",
                             "hsa_status_error_out_of_resources", "not enough memory for command submission"});
}

bool is_code_of_vulkan(std::string_view line) {
  return contains_any(line, {"erroroutofdevicememory", "vk_error_out_of_device_memory"});
}

bool is_code_of_sycl(std::string_view line) {
  return contains_any(line, {"result_error_out_of_device_memory", "pi_error_out_of_resources",
                             "pi_error_out_of_device_memory", "result_error_out_of_resources"});
}

bool is_code_of_opencl(std::string_view line) {
  return contains_any(line, {"cl_mem_object_allocation_failure", "cl_out_of_resources"});
}

/// A call, and what became of it: "cudaMalloc failed: out of memory".
bool is_sentence(std::string_view line) {
  if (contains_any(line, {"malloc failed: out of memory", "alloc failed: out of memory", "with error out of memory",
                          "out of gpu memory", "gpu out of memory", "gpu outofmemory", "not enough gpu memory",
                          "insufficient gpu memory", "insufficient vram", "error=2 : out of memory",
                          "not enough allocatable device memory", "not enough vram", "out of vram",
                          "gpuassert: out of memory", "error out of memory at line"}))
    return true;
  return contains_any(line, {"out of memory", "out_of_memory"}) &&
         contains_any(line, {"cuda runtime",       "cuda failure", "cuda error",
                             "cuda driver error",  "cuda kernel",  "hip error",
                             "): out of memory",   "cudamalloc",   "cumemalloc",
                             "cumemcreate",        "hipmalloc",    "error == cudasuccess",
                             "err == cudasuccess", "gpu api call", "implicit initialization",
                             "cuda failed",        "cuda err",     "cuda in ",
                             "cuda memory",        "in cumem"});
}

bool starts(std::string_view line) {
  return is_code_of_cuda(line) || is_code_of_hip(line) || is_code_of_vulkan(line) || is_code_of_sycl(line) ||
         is_code_of_opencl(line) || is_sentence(line);
}

/// ggml names the device in the line after.
bool continues(std::string_view /*text*/, std::string_view line) { return contains(line, "current device: "); }

OomBackend backend_of(std::string_view text) {
  if (is_code_of_hip(text) || contains_any(text, {"hip error", "hipmalloc"})) return OomBackend::Hip;
  if (is_code_of_vulkan(text)) return OomBackend::Vulkan;
  if (is_code_of_sycl(text)) return OomBackend::Sycl;
  return is_code_of_opencl(text) ? OomBackend::OpenCl : OomBackend::Cuda;
}

OomSource source_of(std::string_view text) {
  if (contains_any(text, {"ggml", "llama"})) return contains(text, "ollama") ? OomSource::Ollama : OomSource::LlamaCpp;
  if (contains_any(text, {"torch", "aten", "thcudacheck", "/thc/", "cuda kernel errors might be"}))
    return OomSource::PyTorch;
  if (contains_any(text, {"tensorrt", "[trt]", "cuda runtime (out of memory)"})) return OomSource::TensorRt;
  if (contains_any(text, {"tensorflow", "gpu:0 failed. status"})) return OomSource::TensorFlow;
  if (contains(text, "onnxruntime")) return OomSource::OnnxRuntime;
  return contains(text, "cupy") ? OomSource::CuPy : OomSource::Cuda;
}

void read(std::string_view text, OomError& error) {
  error.source = source_of(text);
  error.backend = backend_of(text);
  error.gpu = first_device(text, {"current device: ", "gpu=", "cuda:", "on device ", "device #", " dev ", "on gpu "});
  for (const auto* phrase :
       {"failed (", "failed to allocate ", "trying to allocate ", "tried to allocate ",
        "requested memory: ", "required: ", "allocating ", "to allocate ", "cannot allocate ", " size "}) {
    put(error, &OomError::requested, exact_amount_after(text, phrase));
  }
  put(error, &OomError::free, amount_after(text, "free memory: "));
  put(error, &OomError::free, amount_after(text, ", available: "));
}

}  // namespace

OomFamily cuda_family() { return {starts, continues, read, kFewLines}; }

}  // namespace dualgpuopt::memory
