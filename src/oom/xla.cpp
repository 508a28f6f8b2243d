// XLA as JAX reports it, on GPUs and TPUs.
#include "oom/oom_family.h"

namespace dualgpuopt::memory {
namespace {

bool is_exhausted(std::string_view line) {
  return contains_any(line, {"resource_exhausted", "resource exhausted"}) &&
         contains_any(line, {"out of memory", "alloc", "hbm", "oom"});
}

bool starts(std::string_view line) {
  if (is_exhausted(line)) return true;
  if (contains_any(line, {"out of memory while trying to allocate", "failed to allocate request for",
                          "ran out of memory in memory space", "can't reduce memory use below", "for new constant"}))
    return true;
  return contains_any(line, {"attempting to allocate", "attempting to reserve"}) && contains(line, "not possible");
}

bool continues(std::string_view text, std::string_view line) {
  return contains(text, "resource") && contains(line, "total hbm usage");
}

void read_requested(std::string_view text, OomError& error) {
  for (const auto* phrase : {"failed to allocate request for ", "while trying to allocate ",
                             "out of memory allocating ", "attempting to allocate ", "attempting to reserve ",
                             "hbm. used ", "vmem. used ", "reduced to ", "failed to allocate "}) {
    put(error, &OomError::requested, exact_amount_after(text, phrase));
  }
}

/// "Used 17.21G of 15.48G hbm."
void read_hbm(std::string_view text, OomError& error) {
  put(error, &OomError::total, amount_before(text, " hbm. exceeded"));
  put(error, &OomError::limit, exact_amount_after(text, "memory use below "));
  put(error, &OomError::free, amount_after(text, "there are "));
}

OomBackend backend_of(std::string_view text) {
  if (contains_any(text, {"hbm", "tpu"})) return OomBackend::Tpu;
  if (contains_any(text, {"rocm", "hip_error", "hiperror"})) return OomBackend::Hip;
  return contains_any(text, {"cuda", "gpu"}) ? OomBackend::Cuda : OomBackend::Unknown;
}

std::optional<int> device_of(std::string_view text) {
  return first_device(text, {"device ordinal ", "gpu:", "gpu_", "cuda:"});
}

void read(std::string_view text, OomError& error) {
  error.source = OomSource::Jax;
  error.backend = backend_of(text);
  error.fatal = !contains(text, "can't reduce memory use below");
  error.gpu = device_of(text);
  read_requested(text, error);
  read_hbm(text, error);
}

}  // namespace

OomFamily xla_family() { return {starts, continues, read, kWrappedLines}; }

}  // namespace dualgpuopt::memory
