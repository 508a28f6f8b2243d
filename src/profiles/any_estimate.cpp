#include "dualgpuopt/memory/profiles/any_estimate.h"

#include "core/format.h"

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
  return estimate_profile(*profile, question.request);
}

}  // namespace

Result<AnyEstimate> estimate_any(const EstimateQuestion& question) {
  const auto& [request, runtime, profiles] = question;
  if (names_a_profile(request)) return estimate_named(question);
  if (runtime == "llama.cpp") return estimate_llamacpp(request);
  if (runtime == "vllm") return estimate_vllm(request);
  if (runtime == "transformers") return estimate_transformers(request);
  if (runtime == "training") return estimate_training(request);
  return fail(ErrorCode::InvalidArgument,
              format_text("runtime: \"{}\" is not known; expected llama.cpp, vllm, transformers or training", runtime));
}

}  // namespace dualgpuopt::memory
