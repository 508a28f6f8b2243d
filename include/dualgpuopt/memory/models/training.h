// How much memory training a model with PyTorch takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/models/model_source.h"

namespace dualgpuopt::memory {

/// What is kept for each parameter that is trained, besides its gradient: nothing; one momentum; two moments; two
/// moments of one byte (bitsandbytes).
enum class Optimizer { Sgd, Momentum, AdamW, AdamW8bit };

/// Float32: everything in 32 bits. Mixed: weights, gradients and states in 32 bits, computed in 16 (torch.autocast).
/// Brain16: everything in bfloat16.
enum class TrainingPrecision { Float32, Mixed, Brain16 };

/// What is spread over the GPUs instead of kept on each: nothing (DDP); the optimizer's states (ZeRO 1); gradients too
/// (ZeRO 2); weights too (ZeRO 3, FSDP).
enum class Sharding { None, Optimizer, Gradients, Full };

struct TrainingOptions {
  std::uint64_t context = 0;  ///< Tokens of each sequence.
  std::uint64_t batch = 1;    ///< Sequences that each GPU computes at once.
  std::uint64_t gpus = 1;
  Optimizer optimizer = Optimizer::AdamW;
  TrainingPrecision precision = TrainingPrecision::Mixed;
  Sharding sharding = Sharding::None;
  bool checkpointing = false;   ///< Activations of a layer are computed again when they are needed.
  bool accumulation = false;    ///< Gradients of earlier steps are kept while the next are computed.
  bool flash_attention = true;  ///< Attention's scores are not kept.
  std::uint64_t lora_rank = 0;  ///< 0: all parameters are trained; else adapters of every matrix of the layers.

  /// InvalidArgument, naming the option.
  [[nodiscard]] Result<void> validate() const;
};

/// When the most memory is taken.
enum class TrainingPhase { Loss, Backward, Step };
[[nodiscard]] const char* to_string(TrainingPhase phase);

/// Bytes on each GPU; all GPUs are alike.
struct TrainingNeed {
  Bytes weights = 0;      ///< With adapters.
  Bytes optimizer = 0;    ///< Its states.
  Bytes gradients = 0;    ///< With the buckets that DDP sends.
  Bytes activations = 0;  ///< Kept for the backward pass, with autocast's copies of weights.
  Bytes loss = 0;         ///< Logits, and what cross entropy makes of them.
  Bytes working = 0;      ///< Of one layer while its gradients are computed.
  Bytes step = 0;         ///< Temporaries of the optimizer's step.
  Bytes slack = 0;        ///< What PyTorch's allocator rounds up.
  TrainingPhase peak = TrainingPhase::Loss;
  Bytes at_peak = 0;  ///< Of the parts that come and go, those that are there at the peak.

  [[nodiscard]] Bytes total() const { return weights + optimizer + slack + at_peak; }
};

/// Formulas and their sources: docs/model-memory.md, "Training". `options` must be valid.
[[nodiscard]] TrainingNeed training_need(const Model& model, const TrainingOptions& options);

/// The largest batch a GPU of which `available` bytes are free for PyTorch; 0 when not even one sequence fits.
[[nodiscard]] std::uint64_t largest_training_batch(const Model& model, TrainingOptions options, Bytes available);

/// Changes that would each make it fit alone, those that cost least first; where none would, several that do together,
/// in one text. In words, with their numbers; empty where nothing helps.
[[nodiscard]] std::vector<std::string> training_remedies(const Model& model, const TrainingOptions& options,
                                                         Bytes available);

}  // namespace dualgpuopt::memory
