
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/format.h"
#include "dualgpuopt/memory/models/estimate.h"

namespace dualgpuopt::memory {
namespace {

using Json = nlohmann::ordered_json;

std::string device_name(const DeviceNeed& need) { return need.gpu ? format_text("GPU {}", *need.gpu) : "host"; }

std::string written(const Json& record) { return record.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json device_record(const DeviceNeed& need) {
  return {{"device", device_name(need)},
          {"layers", need.layers},
          {"weights_bytes", need.weights},
          {"kv_cache_bytes", need.kv_cache},
          {"state_bytes", need.state},
          {"compute_bytes", need.compute},
          {"output_bytes", need.output},
          {"slack_bytes", need.slack},
          {"total_bytes", need.total()},
          {"context_overhead_bytes", need.gpu && need.total() > 0 ? kTypicalContextOverhead : 0}};
}

template <typename Estimate>
Bytes all_kv(const Estimate& answer) {
  Bytes sum = 0;
  for (const auto& need : answer.need) sum += need.kv_cache;
  return sum;
}

/// An amount by its name and what is left with it, or null.
Json limit_record(const char* name, const std::optional<Limit>& limit) {
  if (!limit) return nullptr;
  return {{name, limit->amount}, {"margin_bytes", limit->margin}};
}

Json split_record(const std::optional<LayerSplit>& split) {
  if (!split) return nullptr;
  return {{"layers", split->layers}, {"margin_bytes", split->margin}};
}

Json limits_record(const FitLimits& limits) {
  return {{"context", limit_record("tokens", limits.context)},
          {"parallel", limit_record("sequences", limits.sequences)},
          {"gpu_layers", limit_record("layers", limits.gpu_layers)},
          {"split", split_record(limits.split)}};
}

template <typename Estimate>
Json fit_record(const Estimate& answer) {
  if (answer.free.empty()) return nullptr;
  const bool is_enough =
      std::all_of(answer.missing.begin(), answer.missing.end(), [](Bytes bytes) { return bytes == 0; });
  Json record{{"fits", is_enough},
              {"missing_bytes", answer.missing},
              {"remedies", answer.remedies},
              {"free_bytes", answer.free},
              {"margin_bytes", margins(answer.need, GpuRoom{answer.free})},
              {"limits", nullptr}};
  if (answer.limits) record["limits"] = limits_record(*answer.limits);
  return record;
}

Json model_record(const char* runtime, const Model& model, std::uint64_t context) {
  return {{"schema", 1},
          {"type", "estimate"},
          {"runtime", runtime},
          {"architecture", model.shape.architecture},
          {"model", model.shape.name},
          {"layers", model.shape.layers.size()},
          {"context", context},
          {"weights_exact", !model.weights.is_estimate},
          {"parameters", std::round(model.weights.parameters)},
          {"notes", model.notes}};
}

/// What is told device by device.
template <typename Estimate>
std::string devices_json(Json record, const Estimate& answer) {
  record["weights_bytes"] = answer.model.weights.in_file();
  record["kv_cache_bytes"] = all_kv(answer);
  record["devices"] = Json::array();
  for (const auto& need : answer.need) record["devices"].push_back(device_record(need));
  record["fit"] = fit_record(answer);
  return written(record);
}

}  // namespace

std::string to_json(const LlamaCppEstimate& answer) {
  auto record = model_record("llama.cpp", answer.model, answer.options.cache.context);
  record["parallel"] = answer.options.cache.sequences;
  record["placed_tensors"] = answer.options.placed.size();
  record["placed_bytes"] = placed_bytes(answer);
  return devices_json(std::move(record), answer);
}

std::string to_json(const TransformersEstimate& answer) {
  auto record = model_record("transformers", answer.model, answer.options.context);
  record["batch"] = answer.options.batch;
  return devices_json(std::move(record), answer);
}

std::string to_json(const TrainingEstimate& answer) {
  const auto& [model, options, free, need, remedies, limits] = answer;
  auto record = model_record("training", model, options.context);
  record["batch"] = options.batch;
  record["gpus"] = options.gpus;
  record["weights_bytes"] = need.weights;
  record["optimizer_bytes"] = need.optimizer;
  record["gradients_bytes"] = need.gradients;
  record["activations_bytes"] = need.activations;
  record["loss_bytes"] = need.loss;
  record["working_bytes"] = need.working;
  record["step_bytes"] = need.step;
  record["slack_bytes"] = need.slack;
  record["peak"] = to_string(need.peak);
  record["total_bytes"] = need.total();
  record["context_overhead_bytes"] = kTypicalContextOverhead;
  record["fit"] = nullptr;
  if (free)
    record["fit"] = {{"fits", answer.missing() == 0},
                     {"missing_bytes", answer.missing()},
                     {"remedies", remedies},
                     {"free_bytes", *free},
                     {"limits", limits ? limits_record(*limits) : Json()}};
  return written(record);
}

std::string to_json(const VllmEstimate& estimate) {
  const auto& [model, options, need] = estimate;
  auto record = model_record("vllm", model, options.context);
  record["gpus"] = options.parallel;
  record["budget_bytes"] = need.budget;
  record["weights_bytes"] = need.weights;
  record["activations_bytes"] = need.activations;
  record["outside_bytes"] = need.outside;
  record["kv_cache_bytes"] = need.cache;
  record["bytes_per_token"] = need.bytes_per_token;
  record["tokens"] = need.tokens;
  record["concurrency"] = need.concurrency(options.context);
  record["fit"] = {{"fits", estimate.fits()},
                   {"missing_bytes", estimate.missing()},
                   {"free_bytes", options.total},
                   {"limits", limits_record(limits(need, options))}};
  return written(record);
}

}  // namespace dualgpuopt::memory
