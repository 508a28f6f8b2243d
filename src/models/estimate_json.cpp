#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dualgpuopt/memory/models/estimate.h"

namespace dualgpuopt::memory {
namespace {

using Json = nlohmann::ordered_json;

std::string device_name(const DeviceNeed& need) { return need.gpu ? fmt::format("GPU {}", *need.gpu) : "host"; }

Json device_record(const DeviceNeed& need) {
  return {{"device", device_name(need)},
          {"layers", need.layers},
          {"weights_bytes", need.weights},
          {"kv_cache_bytes", need.kv_cache},
          {"state_bytes", need.state},
          {"compute_bytes", need.compute},
          {"output_bytes", need.output},
          {"total_bytes", need.total()},
          {"context_overhead_bytes", need.gpu && need.total() > 0 ? kTypicalContextOverhead : 0}};
}

Bytes all_kv(const LlamaCppEstimate& answer) {
  Bytes sum = 0;
  for (const auto& need : answer.need) sum += need.kv_cache;
  return sum;
}

Json fit_record(const LlamaCppEstimate& answer) {
  if (answer.free.empty()) return nullptr;
  const bool is_enough =
      std::all_of(answer.missing.begin(), answer.missing.end(), [](Bytes bytes) { return bytes == 0; });
  return {{"fits", is_enough}, {"missing_bytes", answer.missing}, {"remedies", answer.remedies}};
}

}  // namespace

std::string to_json(const LlamaCppEstimate& answer) {
  Json record{{"schema", 1}, {"type", "estimate"}, {"runtime", "llama.cpp"}};
  record["architecture"] = answer.model.shape.architecture;
  record["model"] = answer.model.shape.name;
  record["layers"] = answer.model.shape.layers.size();
  record["context"] = answer.options.cache.context;
  record["weights_exact"] = !answer.model.weights.is_estimate;
  record["weights_bytes"] = answer.model.weights.in_file();
  record["kv_cache_bytes"] = all_kv(answer);
  record["devices"] = Json::array();
  for (const auto& need : answer.need) record["devices"].push_back(device_record(need));
  record["fit"] = fit_record(answer);
  return record.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_json(const VllmEstimate& estimate) {
  const auto& [model, options, need] = estimate;
  Json record{{"schema", 1}, {"type", "estimate"}, {"runtime", "vllm"}};
  record["architecture"] = model.shape.architecture;
  record["model"] = model.shape.name;
  record["layers"] = model.shape.layers.size();
  record["context"] = options.context;
  record["weights_exact"] = !model.weights.is_estimate;
  record["gpus"] = options.parallel;
  record["budget_bytes"] = need.budget;
  record["weights_bytes"] = need.weights;
  record["activations_bytes"] = need.activations;
  record["outside_bytes"] = need.outside;
  record["kv_cache_bytes"] = need.cache;
  record["bytes_per_token"] = need.bytes_per_token;
  record["tokens"] = need.tokens;
  record["concurrency"] = need.concurrency(options.context);
  record["fit"] = {{"fits", estimate.fits()}, {"missing_bytes", estimate.missing()}};
  return record.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace dualgpuopt::memory
