// Scratch memory of llama.cpp's graphs on one device.
#pragma once

#include "dualgpuopt/memory/models/llamacpp.h"

namespace dualgpuopt::memory {

/// What of a device decides how large its graphs are.
struct ComputePlace {
  bool is_gpu = true;
  bool is_first = true;  ///< Of the GPUs with layers: the inputs come here, and weights in host memory are copied here.
  bool has_output = false;
  bool is_pipelined = false;    ///< Four copies of what comes from elsewhere: see `is_pipelined` below.
  Bytes staged = 0;             ///< The largest matrix of a layer in host memory, copied over for large batches.
  bool leaves_experts = false;  ///< All its layers' experts lie in host memory, and the first GPU works on them.
  Bytes staged_output = 0;      ///< The same of the output, which then is computed here.
};

/// Whether llama.cpp works on several micro-batches at once, each GPU on another: several GPUs, split by layers, with
/// everything on them (llama-context.cpp; ik_llama.cpp is built without).
[[nodiscard]] bool is_pipelined(const ModelShape& shape, const LlamaCppOptions& options);

/// Whether a micro-batch is large enough for a GPU to work on experts, or on other weights, that lie in host memory.
[[nodiscard]] bool stages_experts(const ModelShape& shape, const LlamaCppOptions& options);
[[nodiscard]] bool stages_weights(const LlamaCppOptions& options);

/// The largest set of intermediate results that live side by side; 0 for a model without layers. The formulas and where
/// they come from: docs/model-memory.md, "Compute buffer".
[[nodiscard]] Bytes compute_buffer(const ModelShape& shape, const LlamaCppOptions& options, const ComputePlace& place);

/// Inputs of the graph that host memory keeps for the GPUs: the embedded tokens and the masks.
[[nodiscard]] Bytes host_inputs(const ModelShape& shape, const LlamaCppOptions& options, bool pipelined);

}  // namespace dualgpuopt::memory
