// What a profile says of given GPUs, as an estimate does of a model.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/models/estimate.h"
#include "dualgpuopt/memory/predictor/model_profile.h"

namespace dualgpuopt::memory {

/// The profile of that name: of the file, if one is given, else one of the built-in ones. Errors: as load_profiles has
/// them; NotFound with the names that there are.
[[nodiscard]] Result<ModelProfile> find_profile(const std::string& name, const std::filesystem::path& file = {});

/// A profile's line for one batch and context. It is of all GPUs together, as profiles are.
struct ProfileEstimate {
  ModelProfile profile;
  std::uint64_t batch = 1;
  std::uint64_t context = 0;  ///< Tokens of all sequences together.
  std::vector<Bytes> free;    ///< Of each GPU; empty where the sizes were not given.

  [[nodiscard]] Bytes usage() const { return profile.estimate_usage(batch, context); }
  [[nodiscard]] Bytes all_free() const;
  /// What is left on all GPUs together, negative where it does not fit.
  [[nodiscard]] SignedBytes margin() const { return difference(all_free(), usage()); }
  /// The largest for this context, or batch; 0: not even one fits; empty: there is no largest, as it costs nothing.
  [[nodiscard]] std::optional<std::uint64_t> largest_batch() const;
  [[nodiscard]] std::optional<std::uint64_t> longest_context() const;
};

/// Of `request` its context, parallel and gpus count. InvalidArgument, naming the field.
[[nodiscard]] Result<ProfileEstimate> estimate_profile(const ModelProfile& profile, const EstimateRequest& request);

/// One JSON line; see docs/json.md.
[[nodiscard]] std::string to_json(const ProfileEstimate& estimate);

}  // namespace dualgpuopt::memory
