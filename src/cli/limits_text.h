// The largest of everything that still fits, in words.
#pragma once

#include <string>

#include "dualgpuopt/memory/profiles/profile_estimate.h"

namespace dualgpuopt::memory::cli {

/// A line each, with the option that asks for it and what is then left; empty where nothing fits in any way.
[[nodiscard]] std::string limits_text(const FitLimits& limits, const Model& model, const LlamaCppOptions& options);
[[nodiscard]] std::string limits_text(const FitLimits& limits, const Model& model, const TransformersOptions& options);
[[nodiscard]] std::string limits_text(const FitLimits& limits, const Model& model, const TrainingOptions& options);
[[nodiscard]] std::string limits_text(const FitLimits& limits, const Model& model, const VllmOptions& options);
/// Of a profile with GPUs of known sizes.
[[nodiscard]] std::string limits_text(const ProfileEstimate& estimate);

}  // namespace dualgpuopt::memory::cli
