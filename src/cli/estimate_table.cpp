#include "cli/estimate_table.h"

#include <fmt/format.h>

namespace dualgpuopt::memory::cli {
namespace {

std::string device_name(const DeviceNeed& need) { return need.gpu ? fmt::format("GPU {}", *need.gpu) : "host"; }

std::string parts(const LlamaCppEstimate& answer) {
  const auto& shape = answer.model.shape;
  auto text =
      fmt::format("{} ({}), {} layers, context {}, weights {}{}\n\n", shape.name.empty() ? "a model" : shape.name,
                  shape.architecture, shape.layers.size(), answer.options.cache.context,
                  format_bytes(answer.model.weights.in_file()), answer.model.weights.is_estimate ? " (estimated)" : "");
  text += fmt::format("{:<8}{:>7}{:>13}{:>13}{:>13}{:>13}{:>13}\n", "DEVICE", "LAYERS", "WEIGHTS", "KV CACHE", "STATE",
                      "COMPUTE", "TOTAL");
  for (const auto& need : answer.need) {
    text += fmt::format("{:<8}{:>7}{:>13}{:>13}{:>13}{:>13}{:>13}\n", device_name(need), need.layers,
                        format_bytes(need.weights), format_bytes(need.kv_cache), format_bytes(need.state),
                        format_bytes(need.compute), format_bytes(need.total()));
  }
  return text + fmt::format("\nBesides, the process takes about {} on each GPU for its context.\n",
                            format_bytes(kTypicalContextOverhead));
}

std::string verdict(const LlamaCppEstimate& answer) {
  std::string text;
  for (std::size_t i = 0; i < answer.missing.size(); ++i) {
    const auto& need = answer.need[i];
    const auto used = need.total() == 0 ? 0 : need.total() + kTypicalContextOverhead;
    if (answer.missing[i] > 0) {
      text += fmt::format("Does not fit on GPU {}: {} are missing.\n", i, format_bytes(answer.missing[i]));
    } else {
      text += fmt::format("Fits on GPU {}, with {} to spare.\n", i, format_bytes(answer.free[i] - used));
    }
  }
  for (const auto& remedy : answer.remedies) text += "To make it fit: " + remedy + "\n";
  return text;
}

std::string row(std::string_view part, Bytes bytes) { return fmt::format("{:<14}{:>12}\n", part, format_bytes(bytes)); }

std::string verdict(const VllmEstimate& estimate) {
  const auto& [model, options, need] = estimate;
  if (estimate.fits()) {
    return fmt::format("Holds {} tokens: {:.1f} requests of {} tokens side by side.\n", need.tokens,
                       need.concurrency(options.context), options.context);
  }
  auto text = fmt::format("Does not fit: for one request of {} tokens {} are missing on each GPU.\n", options.context,
                          format_bytes(estimate.missing()));
  if (need.tokens > 0)
    text += fmt::format("To make it fit: shorten the context to {} tokens: --context {}\n", need.tokens, need.tokens);
  return text;
}

}  // namespace

std::string estimate_table(const LlamaCppEstimate& estimate) { return parts(estimate) + verdict(estimate); }

std::string estimate_table(const VllmEstimate& estimate) {
  const auto& [model, options, need] = estimate;
  auto text = fmt::format("{} ({}), {} layers, context {}, vLLM on {} x {}\n\n",
                          model.shape.name.empty() ? "a model" : model.shape.name, model.shape.architecture,
                          model.shape.layers.size(), options.context, options.parallel, format_bytes(options.total));
  text += row("ON EACH GPU", need.budget) + row("weights", need.weights) + row("activations", need.activations);
  text += row("outside", need.outside) + row("KV cache", need.cache);
  return text + "\n" + verdict(estimate);
}

}  // namespace dualgpuopt::memory::cli
