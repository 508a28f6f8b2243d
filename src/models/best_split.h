// How to deal layers out over GPUs that are not alike.
#pragma once

#include <functional>
#include <vector>

#include "dualgpuopt/memory/models/fit.h"

namespace dualgpuopt::memory {

/// What is left on each GPU with so many layers on each.
using Margins = std::function<std::vector<SignedBytes>(const std::vector<std::uint64_t>& layers)>;

/// The counts, together `layers`, that leave the most where least is left. Of one GPU or two, and fewer than a
/// thousand layers, the best there is: all counts are tried. Of more, from the counts that follow `shares`, whole
/// pieces of layers, at last single ones, go from the GPU with the least left to where they leave the most, as long as
/// that is more than before: the best there is of all that differ in one such move.
[[nodiscard]] LayerSplit best_split(std::uint64_t layers, const std::vector<double>& shares, const Margins& margins);

}  // namespace dualgpuopt::memory
