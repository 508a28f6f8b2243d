#include "estimates.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "dualgpuopt/memory/models/estimate.h"
#include "dualgpuopt/memory/oom/oom_report.h"
#include "dualgpuopt/memory/oom/oom_scanner.h"
#include "outside.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace dualgpuopt::memory::python {
namespace {

/// The errors in a text, each as a JSON line.
std::vector<std::string> explain_oom(std::string_view text) {
  OomScanner scanner;
  scanner.feed(text);
  std::vector<std::string> lines;
  for (const auto& error : scanner.finish()) lines.push_back(to_json(error));
  return lines;
}

Result<std::string> answer(const std::string& runtime, const EstimateRequest& request) {
  const Outside outside;
  if (runtime == "llama.cpp")
    return estimate_llamacpp(request).map([](const auto& estimate) { return to_json(estimate); });
  if (runtime == "vllm") return estimate_vllm(request).map([](const auto& estimate) { return to_json(estimate); });
  return fail(ErrorCode::InvalidArgument, "the runtime is \"" + runtime + "\"; expected llama.cpp or vllm");
}

EstimateRequest request(std::string model, std::string hparams, std::uint64_t context, std::uint64_t parallel,
                        std::uint64_t micro_batch, std::string key_type, std::string value_type, std::string gpus,
                        std::string split, bool split_rows, std::size_t main_gpu,
                        std::optional<std::uint64_t> gpu_layers, bool cpu_moe, std::uint64_t host_expert_layers,
                        bool flash_attention, bool full_window, bool unified, std::optional<int> latent,
                        std::string version, double utilization, std::uint64_t batched_tokens) {
  return {std::move(model),
          std::move(hparams),
          context,
          parallel,
          micro_batch,
          std::move(key_type),
          std::move(value_type),
          std::move(gpus),
          std::move(split),
          split_rows,
          main_gpu,
          gpu_layers,
          cpu_moe,
          host_expert_layers,
          flash_attention,
          full_window,
          unified,
          latent,
          std::move(version),
          utilization,
          batched_tokens};
}

/// (JSON or None, whether a file is missing, why there is none).
nb::tuple estimate(const std::string& runtime, const EstimateRequest& request) {
  const auto text = answer(runtime, request);
  if (text) return nb::make_tuple(*text, false, "");
  return nb::make_tuple(nb::none(), text.error().code() == ErrorCode::NotFound, text.error().describe());
}

}  // namespace

void bind_estimates(nb::module_& module) {
  module.def("explain_oom", &explain_oom, "text"_a);
  nb::class_<EstimateRequest>(module, "EstimateRequest")
      .def(nb::new_(&request), "model"_a, "hparams"_a, "context"_a, "parallel"_a, "micro_batch"_a, "key_type"_a,
           "value_type"_a, "gpus"_a, "split"_a, "split_rows"_a, "main_gpu"_a, "gpu_layers"_a.none(), "cpu_moe"_a,
           "host_expert_layers"_a, "flash_attention"_a, "full_window"_a, "unified"_a, "latent"_a.none(), "version"_a,
           "utilization"_a, "batched_tokens"_a);
  module.def("estimate", &estimate, "runtime"_a, "request"_a);
}

}  // namespace dualgpuopt::memory::python
