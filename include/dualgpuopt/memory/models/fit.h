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

/// What is left on each GPU of which `room` has the size; negative where it does not suffice.
[[nodiscard]] std::vector<SignedBytes> margins(const std::vector<DeviceNeed>& need, const GpuRoom& room);
/// What is left on the GPU that has least left; negative where it does not fit. A GPU that takes nothing has all.
[[nodiscard]] SignedBytes least_margin(const std::vector<DeviceNeed>& need, const GpuRoom& room);

/// The most tokens, in steps of the cache's padding and at most `most`; 0 when not even one step fits.
[[nodiscard]] std::uint64_t largest_context(const Model& model, LlamaCppOptions options, const GpuRoom& room,
                                            std::uint64_t most);

/// The most sequences, at most `most`, each with as many tokens as one has now: with them the context grows. 0 when not
/// even one fits.
[[nodiscard]] std::uint64_t largest_batch(const Model& model, const LlamaCppOptions& options, const GpuRoom& room,
                                          std::uint64_t most);
/// The options with so many sequences, each with as many tokens as one has in `options`.
[[nodiscard]] LlamaCppOptions with_sequences(LlamaCppOptions options, std::uint64_t sequences);

/// The most layers on the GPUs, the output being one more; empty when not even none fit.
[[nodiscard]] std::optional<std::uint64_t> most_gpu_layers(const Model& model, LlamaCppOptions options,
                                                           const GpuRoom& room);

/// The fewest layers whose experts lie in host memory (--n-cpu-moe); empty where all of them are not enough.
[[nodiscard]] std::optional<std::uint64_t> fewest_host_expert_layers(const Model& model, LlamaCppOptions options,
                                                                     const GpuRoom& room);

/// Whole layers for each GPU, the output counting as one of the last GPU's: what --split takes.
struct LayerSplit {
  std::vector<std::uint64_t> layers;
  SignedBytes margin = 0;  ///< Negative where it does not fit.

  [[nodiscard]] std::string text() const;  ///< "20,13".
  friend bool operator==(const LayerSplit&, const LayerSplit&) = default;
};

/// Empty for one GPU or none, and where rows are split. Of two GPUs it is the best there is; of more what a search
/// finds that moves layers from the GPU with the least left to others for as long as that helps
/// (src/models/best_split.h).
[[nodiscard]] std::optional<LayerSplit> best_llamacpp_split(const Model& model, LlamaCppOptions options,
                                                            const GpuRoom& room);

/// Changes that would each make it fit alone, in words, with their numbers; those that cost least first: docs/
/// model-memory.md has their order and why.
[[nodiscard]] std::vector<std::string> remedies(const Model& model, const LlamaCppOptions& options,
                                                const GpuRoom& room);

}  // namespace dualgpuopt::memory
