// A whole estimate: what is asked in words, and the answer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/models/limits.h"

namespace dualgpuopt::memory {

/// What can be asked, as options of a command or keywords of a function are written; the texts are read by the
/// functions below, and errors name the field.
struct EstimateRequest {
  std::string model;          ///< A GGUF file, a folder or file of safetensors, or a config.json.
  std::string hparams;        ///< Instead: a file of hyper-parameters (load_hparams).
  std::uint64_t context = 0;  ///< Tokens; 0: what the model was trained for.
  std::uint64_t parallel = 1;
  std::uint64_t micro_batch = 512;
  std::string key_type = "f16";
  std::string value_type = "f16";
  std::string gpus = "1";  ///< "2", so many of any size, or "24GiB,16GiB", what is free on each.
  std::string split;       ///< "3,1"; empty: by what is free.
  bool split_rows = false;
  std::size_t main_gpu = 0;
  std::optional<std::uint64_t> gpu_layers;
  bool cpu_moe = false;
  std::uint64_t host_expert_layers = 0;
  std::vector<std::string> override_tensor;  ///< "PATTERN=DEVICE,PATTERN=DEVICE", the first that matches counts.
  bool flash_attention = true;
  bool full_window = false;
  bool unified = false;
  std::optional<int> latent;                     ///< 0 to 3, as -mla of ik_llama.cpp.
  std::optional<std::uint64_t> attention_limit;  ///< MiB, as -amb of ik_llama.cpp; 0: none.
  bool host_ops_on_gpu = true;                   ///< false: --no-op-offload.
  bool pipeline = true;                          ///< Of several GPUs; backends other than CUDA and ROCm have none.
  std::string version;                           ///< "b5400", or "ik".
  double utilization = 0.9;
  std::uint64_t batched_tokens = 8192;
  std::string weight_type;          ///< Of transformers: "bf16", "i8"; empty: as they are in the file.
  std::string optimizer = "adamw";  ///< Of training: "sgd", "momentum", "adamw" or "adamw8bit";
  std::string precision = "mixed";  ///< "f32", "mixed" or "bf16";
  std::string sharding = "none";    ///< "none", "optimizer", "gradients" or "full".
  bool checkpointing = false;
  bool accumulation = false;
  std::uint64_t lora_rank = 0;
};

/// The model that a request names. Errors: NotFound, ParseFailed, InvalidArgument.
[[nodiscard]] Result<Model> load_model(const EstimateRequest& request);

/// The answer for llama.cpp.
struct LlamaCppEstimate {
  Model model;
  LlamaCppOptions options;
  std::vector<Bytes> free;  ///< Of each GPU; empty where the sizes were not given.
  std::vector<DeviceNeed> need;
  std::vector<Bytes> missing;  ///< On each GPU whose size was given.
  std::vector<std::string> remedies;
  std::optional<FitLimits> limits;  ///< Where the sizes were given.
};
[[nodiscard]] Result<LlamaCppEstimate> estimate_llamacpp(const EstimateRequest& request);
/// Of the tensors that `override_tensor` placed.
[[nodiscard]] Bytes placed_bytes(const LlamaCppEstimate& estimate);

/// The answer for vLLM. Its GPUs are alike; of unequal ones the smallest counts.
struct VllmEstimate {
  Model model;
  VllmOptions options;
  VllmNeed need;

  [[nodiscard]] bool fits() const { return need.tokens >= options.context; }
  /// Bytes that are missing on each GPU for one request of the whole context.
  [[nodiscard]] Bytes missing() const;
};
[[nodiscard]] Result<VllmEstimate> estimate_vllm(const EstimateRequest& request);

/// The answer for transformers.
struct TransformersEstimate {
  Model model;
  TransformersOptions options;
  std::vector<Bytes> free;  ///< Of each GPU; empty where the sizes were not given.
  std::vector<DeviceNeed> need;
  std::vector<Bytes> missing;  ///< On each GPU whose size was given.
  std::vector<std::string> remedies;
  std::optional<FitLimits> limits;  ///< Where the sizes were given.
};
[[nodiscard]] Result<TransformersEstimate> estimate_transformers(const EstimateRequest& request);

/// The answer for training. Its GPUs are alike; of unequal ones the smallest counts.
struct TrainingEstimate {
  Model model;
  TrainingOptions options;
  std::optional<Bytes> free;  ///< Of each GPU; empty where the sizes were not given.
  TrainingNeed need;
  std::vector<std::string> remedies;
  std::optional<FitLimits> limits;  ///< Where the size was given.

  /// Bytes that are missing on each GPU, with the context's overhead; 0 where it fits or the size is not known.
  [[nodiscard]] Bytes missing() const;
};
[[nodiscard]] Result<TrainingEstimate> estimate_training(const EstimateRequest& request);

/// One JSON line each; see docs/json.md.
[[nodiscard]] std::string to_json(const LlamaCppEstimate& estimate);
[[nodiscard]] std::string to_json(const VllmEstimate& estimate);
[[nodiscard]] std::string to_json(const TransformersEstimate& estimate);
[[nodiscard]] std::string to_json(const TrainingEstimate& estimate);

}  // namespace dualgpuopt::memory
