#include "dualgpuopt/memory/models/training.h"

#include <algorithm>

#include "models/layer_matrices.h"
#include "models/request_text.h"
#include "models/saturated.h"
#include "models/torch_memory.h"

namespace dualgpuopt::memory {
namespace {

double amount(std::uint64_t count) { return static_cast<double>(count); }

/// Bytes of a number, where it is kept and where it is computed with.
struct NumberSizes {
  double kept = 4;
  double computed = 4;
};

NumberSizes sizes_of(TrainingPrecision precision) {
  if (precision == TrainingPrecision::Float32) return {4, 4};
  return precision == TrainingPrecision::Mixed ? NumberSizes{4, 2} : NumberSizes{2, 2};
}

/// For each parameter: bitsandbytes keeps two moments of a byte, and a 32-bit scale for each block of 256 of them.
double state_bytes(Optimizer optimizer, const NumberSizes& size) {
  switch (optimizer) {
    case Optimizer::Sgd: return 0;
    case Optimizer::Momentum: return size.kept;
    case Optimizer::AdamW: return 2 * size.kept;
    case Optimizer::AdamW8bit: return 2 * (1 + 4.0 / 256);
  }
  return 0;
}

/// What autograd keeps of a norm, for each element: its input and the normalised values as 32-bit numbers, its output
/// in the format that is computed with.
double norm_bytes(TrainingPrecision precision) {
  switch (precision) {
    case TrainingPrecision::Float32: return 12;
    case TrainingPrecision::Mixed: return 13;
    case TrainingPrecision::Brain16: return 8;
  }
  return 0;
}

double head_norm_bytes(TrainingPrecision precision) { return precision == TrainingPrecision::Float32 ? 8 : 6; }

/// Queries, keys, values and the output; the sums of the softmax, or all scores twice without flash attention: as
/// 32-bit numbers and in the format that is computed with.
double attention_bytes(const TokenWidths& widths, const TrainingOptions& options) {
  const auto size = sizes_of(options.precision).computed;
  const double scores = size == 4 ? 4 : 4 + size;
  const double kept = size * 2 * (widths.queries + widths.keys_values);
  const double normalised =
      widths.normalises_heads ? head_norm_bytes(options.precision) * (widths.queries + widths.keys_values) : 0;
  return kept + normalised + widths.heads * (options.flash_attention ? 4 : scores * amount(options.context));
}

/// The gate before and after its activation, the other half and their product; what goes into an expert and comes out.
double feed_forward_bytes(const TokenWidths& widths, double size) {
  return size * (4 * widths.inner + 2 * widths.experts * widths.embedding);
}

double layer_bytes(const TokenWidths& widths, const TrainingOptions& options) {
  return widths.norms * norm_bytes(options.precision) * widths.embedding + attention_bytes(widths, options) +
         feed_forward_bytes(widths, sizes_of(options.precision).computed);
}

/// Of one token.
struct Activations {
  double kept = 0;
  double layer = 0;    ///< Of the largest layer alone; a checkpointed one has them while it is computed again.
  double working = 0;  ///< Gradients of one layer's activations.
};

Activations activations_of(const ModelShape& shape, const TrainingOptions& options) {
  const auto size = sizes_of(options.precision);
  Activations token;
  for (const auto& layer : shape.layers) {
    const auto widths = token_widths(shape, layer);
    const double whole = layer_bytes(widths, options);
    token.kept += options.checkpointing ? size.kept * widths.embedding : whole;
    token.layer = std::max(token.layer, whole);
    token.working = std::max(token.working, size.computed * (3 * widths.inner + 2 * widths.embedding));
  }
  return token;
}

/// Logits in the format that is computed with and in 32 bits, their softmax and its gradient: twelve bytes each are
/// there at once (transformers, ForCausalLMLoss); and the last norm.
double loss_bytes(const ModelShape& shape, TrainingPrecision precision) {
  const double last_norm = norm_bytes(precision) + sizes_of(precision).kept;
  return 12 * amount(shape.vocabulary) + last_norm * amount(shape.embedding);
}

double elements_of(const std::vector<LayerMatrix>& matrices) {
  double elements = 0;
  for (const auto& matrix : matrices) elements += matrix.elements();
  return elements;
}

double layer_parameters(const ModelShape& shape) {
  double most = 0;
  for (const auto& layer : shape.layers) most = std::max(most, elements_of(layer_matrices(shape, layer)));
  return most;
}

double adapter_parameters(const ModelShape& shape, std::uint64_t rank) {
  double elements = 0;
  for (const auto& layer : shape.layers) {
    for (const auto& matrix : layer_matrices(shape, layer)) {
      if (matrix.role != TensorRole::Other)
        elements += amount(rank) * (amount(matrix.columns) + amount(matrix.rows)) * amount(matrix.copies);
    }
  }
  return elements;
}

double share(const TrainingOptions& options, Sharding from) {
  return options.sharding >= from ? 1 / amount(options.gpus) : 1;
}

/// Adapters leave the weights as they are in their file; else each GPU has its part in the format that is kept, and
/// with full sharding two whole layers while they are computed.
double weight_bytes(const Model& model, const TrainingOptions& options, double trained) {
  const auto size = sizes_of(options.precision);
  const double part = share(options, Sharding::Full);
  const double gathered = part < 1 ? 2 * layer_parameters(model.shape) * size.computed : 0;
  if (options.lora_rank > 0) return part * (amount(model.weights.in_file()) + trained * size.kept) + gathered;
  return part * trained * size.kept + gathered;
}

/// Autocast's copies of the matrices, which the backward pass needs again; checkpoints make them anew.
double cast_bytes(const Model& model, const TrainingOptions& options) {
  if (options.precision != TrainingPrecision::Mixed || options.checkpointing || options.lora_rank > 0 ||
      options.sharding == Sharding::Full)
    return 0;
  double elements = amount(model.shape.embedding) * amount(model.shape.vocabulary);  // the output matrix
  for (const auto& layer : model.shape.layers) elements += elements_of(layer_matrices(model.shape, layer));
  return elements * sizes_of(options.precision).computed;
}

/// DDP sends gradients in buckets of their own size (torch.nn.parallel.DistributedDataParallel,
/// gradient_as_bucket_view).
double gradient_bytes(const TrainingOptions& options, double trained) {
  const bool has_buckets = options.gpus > 1 && options.sharding < Sharding::Gradients;
  return trained * sizes_of(options.precision).kept * share(options, Sharding::Gradients) * (has_buckets ? 2 : 1);
}

/// Weights, their gradients and the moments are tensors of the same shapes.
double slack_of(const Model& model, const TrainingOptions& options) {
  const auto size = sizes_of(options.precision).kept;
  if (options.lora_rank > 0) return rounding(model.shape, 2);
  const double copies = 2 + (state_bytes(options.optimizer, {size, size}) / size);
  return copies * rounding(model.shape, size) * share(options, Sharding::Full);
}

/// AdamW's step over all tensors at once makes a copy (torch.optim.AdamW, foreach); the 8-bit kernels do not.
double step_bytes(const TrainingOptions& options, double trained) {
  if (options.optimizer != Optimizer::AdamW) return 0;
  return trained * sizes_of(options.precision).kept * share(options, Sharding::Optimizer);
}

/// The backward pass frees activations as gradients appear: the most is there at its beginning or at its end.
double backward_bytes(const Activations& token, double tokens, double casts, double gradients,
                      const TrainingOptions& options) {
  const double begin = casts + tokens * (token.kept + token.working + (options.checkpointing ? token.layer : 0));
  const double end = tokens * (token.layer + token.working) + gradients;
  return std::max(begin + (options.accumulation ? gradients : 0), end);
}

void set_peak(TrainingNeed& need, TrainingPhase phase, double bytes) {
  if (saturated(bytes) <= need.at_peak) return;
  need.at_peak = saturated(bytes);
  need.peak = phase;
}

double trained_parameters(const Model& model, const TrainingOptions& options) {
  return options.lora_rank > 0 ? adapter_parameters(model.shape, options.lora_rank) : model.weights.parameters;
}

}  // namespace

const char* to_string(TrainingPhase phase) {
  switch (phase) {
    case TrainingPhase::Loss: return "loss";
    case TrainingPhase::Backward: return "backward pass";
    case TrainingPhase::Step: return "optimizer's step";
  }
  return "?";
}

Result<void> TrainingOptions::validate() const {
  if (auto valid = check_context(context); !valid) return valid;
  if (batch == 0) return fail(ErrorCode::InvalidArgument, "the batch must be at least one sequence");
  if (gpus == 0) return fail(ErrorCode::InvalidArgument, "training is estimated for one GPU or more, not for none");
  return {};
}

TrainingNeed training_need(const Model& model, const TrainingOptions& options) {
  const double tokens = amount(options.batch) * amount(options.context);
  const double trained = trained_parameters(model, options);
  const double gradients = gradient_bytes(options, trained);
  const auto token = activations_of(model.shape, options);
  const double loss = tokens * loss_bytes(model.shape, options.precision);
  const double step = step_bytes(options, trained);
  const double casts = cast_bytes(model, options);
  TrainingNeed need;
  need.weights = saturated(weight_bytes(model, options, trained));
  need.optimizer = saturated(trained * state_bytes(options.optimizer, sizes_of(options.precision)) *
                             share(options, Sharding::Optimizer));
  need.gradients = saturated(gradients);
  need.activations = saturated(casts + tokens * token.kept);
  need.loss = saturated(loss);
  need.working = saturated(tokens * (token.working + (options.checkpointing ? token.layer : 0)));
  need.step = saturated(step);
  need.slack = saturated(slack_of(model, options));
  set_peak(need, TrainingPhase::Loss, casts + tokens * token.kept + loss + (options.accumulation ? gradients : 0));
  set_peak(need, TrainingPhase::Backward, backward_bytes(token, tokens, casts, gradients, options));
  set_peak(need, TrainingPhase::Step, gradients + step);
  return need;
}

}  // namespace dualgpuopt::memory
