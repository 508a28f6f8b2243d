#include "cli/estimate_vllm.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace dualgpuopt::memory::cli {
namespace {

bool holds_one(const VllmNeed& need, const VllmOptions& options) { return need.tokens >= options.context; }

Bytes missing(const VllmNeed& need, const VllmOptions& options) {
  const auto wanted = need.weights + need.activations + need.outside + options.context * need.bytes_per_token;
  return wanted > need.budget ? wanted - need.budget : 0;
}

std::string row(std::string_view part, Bytes bytes) { return fmt::format("{:<14}{:>12}\n", part, format_bytes(bytes)); }

std::string verdict(const VllmNeed& need, const VllmOptions& options) {
  if (holds_one(need, options)) {
    return fmt::format("Holds {} tokens: {:.1f} requests of {} tokens side by side.\n", need.tokens,
                       need.concurrency(options.context), options.context);
  }
  auto text = fmt::format("Does not fit: for one request of {} tokens {} are missing on each GPU.\n", options.context,
                          format_bytes(missing(need, options)));
  if (need.tokens > 0)
    text += fmt::format("To make it fit: shorten the context to {} tokens: --context {}\n", need.tokens, need.tokens);
  return text;
}

}  // namespace

std::string vllm_table(const Model& model, const VllmOptions& options) {
  const auto need = vllm_need(model, options);
  auto text = fmt::format("{} ({}), {} layers, context {}, vLLM on {} x {}\n\n",
                          model.shape.name.empty() ? "a model" : model.shape.name, model.shape.architecture,
                          model.shape.layers.size(), options.context, options.parallel, format_bytes(options.total));
  text += row("ON EACH GPU", need.budget) + row("weights", need.weights) + row("activations", need.activations);
  text += row("outside", need.outside) + row("KV cache", need.cache);
  return text + "\n" + verdict(need, options);
}

std::string vllm_json(const Model& model, const VllmOptions& options) {
  const auto need = vllm_need(model, options);
  nlohmann::ordered_json record{{"schema", 1}, {"type", "estimate"}, {"runtime", "vllm"}};
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
  record["fit"] = {{"fits", holds_one(need, options)}, {"missing_bytes", missing(need, options)}};
  return record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace dualgpuopt::memory::cli
