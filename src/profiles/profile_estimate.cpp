#include "dualgpuopt/memory/profiles/profile_estimate.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/format.h"
#include "dualgpuopt/memory/profiles/profile_file.h"
#include "models/request_text.h"

namespace dualgpuopt::memory {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostNamed = 20;

std::string names_of(const std::vector<ModelProfile>& profiles) {
  std::string names;
  for (std::size_t i = 0; i < profiles.size() && i < kMostNamed; ++i) names += (i == 0 ? "" : ", ") + profiles[i].name;
  return names + (profiles.size() > kMostNamed ? ", …" : "");
}

/// Those of the file before the built-in ones.
Result<std::vector<ModelProfile>> all_profiles(const std::filesystem::path& file) {
  std::vector<ModelProfile> profiles;
  if (!file.empty()) {
    auto loaded = load_profiles(file);
    if (!loaded) return fail(std::move(loaded.error()));
    for (auto& stored : *loaded) profiles.push_back(std::move(stored.profile));
  }
  const auto& built_in = default_model_profiles();
  profiles.insert(profiles.end(), built_in.begin(), built_in.end());
  return profiles;
}

/// The largest amount, and what is left with it; null where not even one fits.
Json limit_record(const char* name, const std::optional<std::uint64_t>& most, SignedBytes margin) {
  if (most == 0) return nullptr;
  return {{name, most ? Json(*most) : Json()}, {"margin_bytes", margin}};
}

Json limits_record(const ProfileEstimate& estimate) {
  auto longest = estimate;
  longest.context = estimate.longest_context().value_or(estimate.context);
  auto largest = estimate;
  largest.batch = estimate.largest_batch().value_or(estimate.batch);
  return {{"context", limit_record("tokens", estimate.longest_context(), longest.margin())},
          {"parallel", limit_record("sequences", estimate.largest_batch(), largest.margin())}};
}

Json fit_record(const ProfileEstimate& estimate) {
  if (estimate.free.empty()) return nullptr;
  const auto margin = estimate.margin();
  return {{"fits", margin >= 0},
          {"missing_bytes", margin < 0 ? estimate.usage() - estimate.all_free() : 0},
          {"free_bytes", estimate.free},
          {"limits", limits_record(estimate)}};
}

}  // namespace

Result<ModelProfile> find_profile(const std::string& name, const std::filesystem::path& file) {
  const auto profiles = all_profiles(file);
  if (!profiles) return fail(profiles.error());
  const auto found = std::find_if(profiles->begin(), profiles->end(), [&](const auto& p) { return p.name == name; });
  if (found != profiles->end()) return *found;
  return fail(ErrorCode::NotFound, format_text("{}: there is no such file, nor a profile of that name: there are {}",
                                               name, names_of(*profiles)));
}

Bytes ProfileEstimate::all_free() const {
  Bytes sum = 0;
  for (const auto bytes : free) sum = bytes > std::numeric_limits<Bytes>::max() - sum ? bytes : sum + bytes;
  return sum;
}

std::optional<std::uint64_t> ProfileEstimate::largest_batch() const {
  return profile.max_batch_size(all_free(), context);
}

std::optional<std::uint64_t> ProfileEstimate::longest_context() const {
  return profile.max_sequence_length(all_free(), batch);
}

Result<ProfileEstimate> estimate_profile(const ModelProfile& profile, const EstimateRequest& request) {
  auto gpus = parse_gpus(request.gpus);
  if (!gpus) return fail(std::move(gpus.error()));
  if (request.parallel == 0) return fail(ErrorCode::InvalidArgument, "the batch must be at least one sequence");
  return ProfileEstimate{profile, request.parallel, request.context, std::move(gpus->free)};
}

std::string to_json(const ProfileEstimate& estimate) {
  const auto& profile = estimate.profile;
  const Json record{{"schema", 1},
                    {"type", "estimate"},
                    {"runtime", "profile"},
                    {"model", profile.name},
                    {"context", estimate.context},
                    {"batch", estimate.batch},
                    {"base_bytes", profile.base},
                    {"per_batch_bytes", profile.per_batch},
                    {"per_token_bytes", profile.per_token},
                    {"total_bytes", estimate.usage()},
                    {"fit", fit_record(estimate)}};
  return record.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace dualgpuopt::memory
