#include "dualgpuopt/memory/profiles/any_estimate.h"

#include "core/format.h"
#include "dualgpuopt/memory/profiles/profile_file.h"
#include "models/runtime_options.h"

namespace dualgpuopt::memory {
namespace {

/// What is no path may be the name of a profile.
bool names_a_profile(const EstimateRequest& request) {
  std::error_code code;
  return !request.model.empty() && request.hparams.empty() && !std::filesystem::exists(request.model, code);
}

Result<AnyEstimate> estimate_named(const EstimateQuestion& question) {
  const auto profile = find_profile(question.request.model, question.profiles);
  if (!profile) return fail(profile.error());
  if (question.runtime != "llama.cpp") {
    return fail(ErrorCode::InvalidArgument, format_text("runtime: {} was asked for, but {} is a profile, of no runtime",
                                                        question.runtime, question.request.model));
  }
  if (auto valid = check_options(question.request, "a profile"); !valid) return fail(std::move(valid.error()));
  return estimate_profile(*profile, question.request);
}

using Estimate = Result<AnyEstimate> (*)(const EstimateRequest&);

/// Null where there is none.
Estimate estimate_of(const std::string& runtime) {
  if (runtime == "llama.cpp")
    return [](const EstimateRequest& request) -> Result<AnyEstimate> { return estimate_llamacpp(request); };
  if (runtime == "vllm")
    return [](const EstimateRequest& request) -> Result<AnyEstimate> { return estimate_vllm(request); };
  if (runtime == "transformers")
    return [](const EstimateRequest& request) -> Result<AnyEstimate> { return estimate_transformers(request); };
  if (runtime == "training")
    return [](const EstimateRequest& request) -> Result<AnyEstimate> { return estimate_training(request); };
  return nullptr;
}

/// A file of profiles that is not there, or is none, is said also where the model is no profile's name.
Result<void> check_profiles(const std::filesystem::path& file) {
  if (file.empty()) return {};
  return load_profiles(file).map([](const auto&) {});
}

}  // namespace

Result<AnyEstimate> estimate_any(const EstimateQuestion& question) {
  const auto& [request, runtime, profiles] = question;
  if (names_a_profile(request)) return estimate_named(question);
  const auto estimate = estimate_of(runtime);
  if (estimate == nullptr)
    return fail(
        ErrorCode::InvalidArgument,
        format_text("runtime: \"{}\" is not known; expected llama.cpp, vllm, transformers or training", runtime));
  if (auto valid = check_options(request, runtime); !valid) return fail(std::move(valid.error()));
  if (auto valid = check_profiles(profiles); !valid) return fail(std::move(valid.error()));
  return estimate(request);
}

}  // namespace dualgpuopt::memory
