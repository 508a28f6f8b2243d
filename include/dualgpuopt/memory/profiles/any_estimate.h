// One question for every runtime, and for the profiles: what the command and the Python package ask.
#pragma once

#include <filesystem>
#include <string>
#include <variant>

#include "dualgpuopt/memory/models/estimate.h"
#include "dualgpuopt/memory/profiles/profile_estimate.h"

namespace dualgpuopt::memory {

struct EstimateQuestion {
  EstimateRequest request;            ///< Its model may be a profile's name where there is no such path.
  std::string runtime = "llama.cpp";  ///< Or vllm, transformers, training.
  std::filesystem::path profiles;     ///< A file of profiles that the model may name; empty: the built-in ones alone.
};

using AnyEstimate =
    std::variant<LlamaCppEstimate, VllmEstimate, TransformersEstimate, TrainingEstimate, ProfileEstimate>;

/// Errors: NotFound, neither a file nor a profile has that name; InvalidArgument, a runtime that is not known, or one
/// other than llama.cpp with a profile, which is of none; and those of the estimates themselves. Thread-safe.
[[nodiscard]] Result<AnyEstimate> estimate_any(const EstimateQuestion& question);

}  // namespace dualgpuopt::memory
