// The questions turned round: what fits on given GPUs.
#pragma once

#include <string>
#include <vector>

#include "dualgpuopt/memory/models/llamacpp.h"

namespace dualgpuopt::memory {

/// Bytes that are free on each GPU, and what each process takes besides the buffers.
struct GpuRoom {
  std::vector<Bytes> free;
  Bytes overhead = kTypicalContextOverhead;
};

/// The bytes by which each GPU is short, 0 where it suffices; `need` as llamacpp_need gives it, for as many GPUs.
[[nodiscard]] std::vector<Bytes> missing(const std::vector<DeviceNeed>& need, const GpuRoom& room);
[[nodiscard]] bool fits(const Model& model, const LlamaCppOptions& options, const GpuRoom& room);

/// The most tokens, in steps of the cache's padding and at most `most`; 0 when not even one step fits.
[[nodiscard]] std::uint64_t largest_context(const Model& model, LlamaCppOptions options, const GpuRoom& room,
                                            std::uint64_t most);

/// The most layers on the GPUs, the output being one more; empty when not even none fit.
[[nodiscard]] std::optional<std::uint64_t> most_gpu_layers(const Model& model, LlamaCppOptions options,
                                                           const GpuRoom& room);

/// Changes that would each make it fit alone, the cheapest first: a smaller cache format, less context, experts in host
/// memory, fewer layers on the GPUs. In words, with their numbers.
[[nodiscard]] std::vector<std::string> remedies(const Model& model, const LlamaCppOptions& options,
                                                const GpuRoom& room);

}  // namespace dualgpuopt::memory
