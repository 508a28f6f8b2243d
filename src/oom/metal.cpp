// MLX on Apple's Metal; PyTorch's MPS and llama.cpp have words of their own.
#include "oom/oom_family.h"

namespace dualgpuopt::memory {
namespace {

bool starts(std::string_view line) {
  if (contains(line, "greater than the maximum allowed buffer size")) return true;
  if (contains_any(line, {"[malloc_or_wait]", "[malloc]"})) return contains(line, "unable to allocate ");
  return contains(line, "[metal]") && contains(line, "insufficient memory");
}

void read(std::string_view text, OomError& error) {
  error.source = OomSource::Mlx;
  error.backend = OomBackend::Metal;
  error.phase = contains(text, "command buffer") ? OomPhase::Compute : OomPhase::Unknown;
  put(error, &OomError::requested, amount_after(text, "attempting to allocate "));
  put(error, &OomError::requested, amount_after(text, "unable to allocate "));
  put(error, &OomError::limit, amount_after(text, "maximum allowed buffer size of "));
}

}  // namespace

OomFamily metal_family() { return {starts, nothing_continues, read, kWrappedLines}; }

}  // namespace dualgpuopt::memory
