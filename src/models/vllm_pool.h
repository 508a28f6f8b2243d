// How vLLM deals the KV cache out to layers that keep different things.
#pragma once

#include "dualgpuopt/memory/models/vllm.h"

namespace dualgpuopt::memory {

/// Layers are sorted by what they keep, and each sort is divided into groups of as many layers as the smallest has, or
/// the largest, where that is less than half as many again; blocks are as large for every group (vLLM's
/// kv_cache_utils.py, _get_kv_cache_groups_uniform_page_size). `options` must be valid.
[[nodiscard]] VllmPool vllm_pool(const ModelShape& shape, const VllmOptions& options);

/// The tokens rounded up to blocks of 16; at least one.
[[nodiscard]] std::uint64_t whole_blocks(std::uint64_t tokens);

}  // namespace dualgpuopt::memory
