#include "estimates.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "dualgpuopt/memory/oom/oom_report.h"
#include "dualgpuopt/memory/oom/oom_scanner.h"
#include "dualgpuopt/memory/profiles/any_estimate.h"
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

Result<std::string> answer(const EstimateQuestion& question) {
  const Outside outside;
  return estimate_any(question).map(
      [](const AnyEstimate& any) { return std::visit([](const auto& estimate) { return to_json(estimate); }, any); });
}

/// (JSON or None, whether a file is missing, why there is none).
nb::tuple estimate(const std::string& runtime, const EstimateRequest& request, nb::bytes profiles) {
  const auto text = answer({request, runtime, std::string(profiles.c_str(), profiles.size())});
  if (text) return nb::make_tuple(*text, false, "");
  return nb::make_tuple(nb::none(), text.error().code() == ErrorCode::NotFound, text.error().describe());
}

/// A request is made empty and filled field by field, each by the name that it has in C++.
void bind_request(nb::module_& module) {
  using Request = EstimateRequest;
  nb::class_<Request>(module, "EstimateRequest")
      .def(nb::init<>())
      .def_rw("model", &Request::model)
      .def_rw("hparams", &Request::hparams)
      .def_rw("context", &Request::context)
      .def_rw("parallel", &Request::parallel)
      .def_rw("micro_batch", &Request::micro_batch)
      .def_rw("key_type", &Request::key_type)
      .def_rw("value_type", &Request::value_type)
      .def_rw("gpus", &Request::gpus)
      .def_rw("split", &Request::split)
      .def_rw("split_rows", &Request::split_rows)
      .def_rw("main_gpu", &Request::main_gpu)
      .def_rw("gpu_layers", &Request::gpu_layers, nb::for_setter(nb::arg().none()))
      .def_rw("cpu_moe", &Request::cpu_moe)
      .def_rw("host_expert_layers", &Request::host_expert_layers)
      .def_rw("override_tensor", &Request::override_tensor)
      .def_rw("flash_attention", &Request::flash_attention)
      .def_rw("full_window", &Request::full_window)
      .def_rw("unified", &Request::unified)
      .def_rw("latent", &Request::latent, nb::for_setter(nb::arg().none()))
      .def_rw("attention_limit", &Request::attention_limit, nb::for_setter(nb::arg().none()))
      .def_rw("host_ops_on_gpu", &Request::host_ops_on_gpu)
      .def_rw("pipeline", &Request::pipeline)
      .def_rw("version", &Request::version)
      .def_rw("utilization", &Request::utilization)
      .def_rw("batched_tokens", &Request::batched_tokens)
      .def_rw("weight_type", &Request::weight_type)
      .def_rw("optimizer", &Request::optimizer)
      .def_rw("precision", &Request::precision)
      .def_rw("sharding", &Request::sharding)
      .def_rw("checkpointing", &Request::checkpointing)
      .def_rw("accumulation", &Request::accumulation)
      .def_rw("lora_rank", &Request::lora_rank);
}

}  // namespace

void bind_estimates(nb::module_& module) {
  module.def("explain_oom", &explain_oom, "text"_a);
  bind_request(module);
  module.def("estimate", &estimate, "runtime"_a, "request"_a, "profiles"_a);
}

}  // namespace dualgpuopt::memory::python
