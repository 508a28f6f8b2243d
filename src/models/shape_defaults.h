// What the makers of an architecture have settled and files do not repeat.
#pragma once

#include <cstdint>
#include <string>

#include "dualgpuopt/memory/models/model_shape.h"

namespace dualgpuopt::memory {

/// Of a layer with a recurrent state (Mamba, gated delta net).
struct StateShape {
  std::uint64_t convolution = 0;  ///< Kernel's length.
  std::uint64_t inner = 0;
  std::uint64_t state = 0;
  std::uint64_t groups = 0;  ///< 0: not told; 16, as the models with gated delta nets have.
};

/// Elements that one sequence keeps in one such layer: the convolution's past inputs and the state
/// (llama-hparams.cpp, n_embd_r and n_embd_s).
[[nodiscard]] std::uint64_t state_elements(const StateShape& shape);

/// Fills in what the state of such a model's layers decides. Without an inner width `customary_inner` is taken.
void set_state(ModelShape& shape, StateShape state, std::uint64_t customary_inner = 0);

/// Of so many layers in a row the last has attention and the others a state; 0: all have attention.
[[nodiscard]] std::uint64_t customary_attention_interval(const std::string& architecture);

/// Tokens of the sliding window, for descriptions that leave it out; 0: none.
[[nodiscard]] std::uint64_t customary_window(const std::string& architecture);

}  // namespace dualgpuopt::memory
