// How much memory llama.cpp needs for a model, device by device.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/models/kv_cache.h"
#include "dualgpuopt/memory/models/model_source.h"
#include "dualgpuopt/memory/models/tensor_override.h"

namespace dualgpuopt::memory {

/// Layer: each layer lies on one GPU. Row: matrices are cut up over all GPUs; cache and scratch lie on the main GPU.
enum class SplitMode { Layer, Row };

/// llama.cpp, or its fork ik_llama.cpp, which computes latent attention and experts on the host otherwise.
enum class LlamaCppFork { Mainline, Ik };

struct LlamaCppOptions {
  KvCacheOptions cache;
  bool flash_attention = true;
  std::size_t gpus = 1;       ///< 0: everything in host memory.
  std::vector<double> split;  ///< Each GPU's share (-ts), in any unit; empty: equal shares.
  SplitMode mode = SplitMode::Layer;
  std::size_t main_gpu = 0;
  std::optional<std::uint64_t> gpu_layers;  ///< -ngl; the output counts as one more layer. Empty: all.
  bool output_first = true;  ///< Of gpu_layers the output is the first to go to a GPU (pull request 18148, December
                             ///< 2025); before, and in the fork whatever this says, the last.
  std::uint64_t host_expert_layers = 0;  ///< So many first layers keep their experts in host memory (--n-cpu-moe).
  std::vector<TensorPlace> placed;       ///< Tensors placed by name, whatever else is said of them; place_tensors() of
                                         ///< the same model. With any llama.cpp has no pipeline.
  LlamaCppFork fork = LlamaCppFork::Mainline;
  bool one_output = false;  ///< Logits for one token a sequence only, as servers have it since 2026.
  bool pipeline = true;     ///< Inputs are kept four times where several GPUs hold everything; CUDA and ROCm do so.
  bool half_masks = true;  ///< Flash attention's masks are put in as f16 (pull request 23764, May 2026); before, and in
                           ///< the fork whatever this says, as f32.
  bool gates_in_place = false;  ///< Builds before b5775 (June 2025), which had no operation of its own for gates.
  bool host_ops_on_gpu = true;  ///< Large batches are worked on by the first GPU even where weights lie in host memory;
                                ///< false: --no-op-offload.
  bool works_on_latent = false;          ///< ik_llama.cpp's -mla 1: attention makes no heads of the latent cache.
  std::optional<Bytes> attention_limit;  ///< ik_llama.cpp's -amb; 0: none. Empty: 512 MiB, as its guides have it.

  /// InvalidArgument, naming the option, for a context or micro-batch of 0, a split of another length than the GPUs or
  /// with negative or no shares, and a main GPU that there is not.
  [[nodiscard]] Result<void> validate() const;
};

/// Bytes on one device.
struct DeviceNeed {
  std::optional<std::size_t> gpu;  ///< Empty: host memory.
  std::uint64_t layers = 0;        ///< Without the output.
  Bytes weights = 0;
  Bytes kv_cache = 0;
  Bytes state = 0;    ///< Of recurrent layers.
  Bytes compute = 0;  ///< Scratch for the largest graph, the least sure part. Host memory beside GPUs: its inputs.
  Bytes output = 0;   ///< Logits, with llama.cpp in host memory.
  Bytes slack = 0;    ///< What an allocator rounds up; none with llama.cpp, which has few large buffers.

  [[nodiscard]] Bytes total() const { return weights + kv_cache + state + compute + output + slack; }
};

/// What the process takes on each GPU besides, for the driver's context and kernels: 150 to 710 MiB were seen, by GPU
/// and driver (docs/model-memory.md).
inline constexpr Bytes kTypicalContextOverhead = Bytes{300} << 20;

/// The GPUs in order, then host memory. Formulas and their sources: docs/model-memory.md. `options` must be valid.
[[nodiscard]] std::vector<DeviceNeed> llamacpp_need(const Model& model, const LlamaCppOptions& options);

/// The device of each layer, and of the output last; empty: host memory.
[[nodiscard]] std::vector<std::optional<std::size_t>> place_layers(std::size_t layers, const LlamaCppOptions& options);

}  // namespace dualgpuopt::memory
