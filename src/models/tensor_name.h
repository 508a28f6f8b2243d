// What the names of GGUF's tensors tell.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace dualgpuopt::memory {

/// The layer of "blk.7.attn_k.weight"; empty for what lies in none. Any number that fits is one.
[[nodiscard]] std::optional<std::size_t> layer_in_name(std::string_view tensor);

}  // namespace dualgpuopt::memory
