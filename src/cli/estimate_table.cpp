#include "cli/estimate_table.h"

#include "cli/limits_text.h"
#include "core/format.h"

namespace dualgpuopt::memory::cli {
namespace {

std::string device_name(const DeviceNeed& need) { return need.gpu ? format_text("GPU {}", *need.gpu) : "host"; }

std::string heading(const Model& model, std::uint64_t context) {
  return format_text("{} ({}), {} layers, context {}, weights {}{}",
                     model.shape.name.empty() ? "a model" : model.shape.name, model.shape.architecture,
                     model.shape.layers.size(), context, format_bytes(model.weights.in_file()),
                     model.weights.is_estimate ? " (estimated)" : "");
}

std::string device_rows(const std::vector<DeviceNeed>& needs) {
  auto text = format_text("{:<8}{:>7} {:>12} {:>12} {:>12} {:>12} {:>12} {:>12}\n", "DEVICE", "LAYERS", "WEIGHTS",
                          "KV CACHE", "STATE", "COMPUTE", "SLACK", "TOTAL");
  for (const auto& need : needs) {
    if (!need.gpu && need.total() == 0) continue;
    text += format_text("{:<8}{:>7} {:>12} {:>12} {:>12} {:>12} {:>12} {:>12}\n", device_name(need), need.layers,
                        format_bytes(need.weights), format_bytes(need.kv_cache), format_bytes(need.state),
                        format_bytes(need.compute + need.output), format_bytes(need.slack), format_bytes(need.total()));
  }
  return text;
}

std::string overhead() {
  return format_text("\nBesides, the process takes about {} on each GPU for its context.\n",
                     format_bytes(kTypicalContextOverhead));
}

std::string notes(const Model& model) {
  std::string text;
  for (const auto& note : model.notes) text += "Note: " + note + ".\n";
  return text;
}

std::string placed(const LlamaCppEstimate& estimate) {
  if (estimate.options.placed.empty()) return "";
  return format_text("By their names {} tensors are placed, of {}.\n", estimate.options.placed.size(),
                     format_bytes(placed_bytes(estimate)));
}

std::string advice(const std::vector<std::string>& remedies) {
  std::string text;
  for (const auto& remedy : remedies) text += "To make it fit: " + remedy + "\n";
  return text;
}

/// Of an answer that goes device by device.
template <typename Estimate>
std::string verdict(const Estimate& answer) {
  std::string text;
  for (std::size_t i = 0; i < answer.missing.size(); ++i) {
    const auto& need = answer.need[i];
    const auto used = need.total() == 0 ? 0 : need.total() + kTypicalContextOverhead;
    if (answer.missing[i] > 0) {
      text += format_text("Does not fit on GPU {}: {} are missing.\n", i, format_bytes(answer.missing[i]));
    } else {
      text += format_text("Fits on GPU {}, with {} to spare.\n", i, format_bytes(answer.free[i] - used));
    }
  }
  return text + advice(answer.remedies) +
         (answer.limits ? limits_text(*answer.limits, answer.model, answer.options) : "");
}

std::string verdict(const TrainingEstimate& answer) {
  if (!answer.free) return "";
  const auto largest = answer.limits ? limits_text(*answer.limits, answer.model, answer.options) : "";
  if (answer.missing() > 0)
    return format_text("Does not fit: {} are missing on each GPU.\n", format_bytes(answer.missing())) +
           advice(answer.remedies) + largest;
  return format_text("Fits, with {} to spare on each GPU.\n",
                     format_bytes(*answer.free - answer.need.total() - kTypicalContextOverhead)) +
         largest;
}

std::string row(std::string_view part, Bytes bytes) { return format_text("{:<14}{:>12}\n", part, format_bytes(bytes)); }

std::string verdict(const VllmEstimate& estimate) {
  const auto& [model, options, need] = estimate;
  const auto largest = limits_text(limits(need, options), model, options);
  if (estimate.fits()) {
    return format_text("Holds {} tokens: {:.1f} requests of {} tokens side by side.\n", need.tokens,
                       need.concurrency(options.context), options.context) +
           largest;
  }
  auto text = format_text("Does not fit: for one request of {} tokens {} are missing on each GPU.\n", options.context,
                          format_bytes(estimate.missing()));
  if (need.tokens > 0)
    text += format_text("To make it fit: shorten the context to {} tokens: --context {}\n", need.tokens, need.tokens);
  return text + largest;
}

}  // namespace

std::string estimate_table(const LlamaCppEstimate& estimate) {
  return heading(estimate.model, estimate.options.cache.context) + "\n\n" + device_rows(estimate.need) + overhead() +
         placed(estimate) + verdict(estimate) + notes(estimate.model);
}

std::string estimate_table(const TransformersEstimate& estimate) {
  return heading(estimate.model, estimate.options.context) +
         format_text(", transformers, batch {}\n\n", estimate.options.batch) + device_rows(estimate.need) + overhead() +
         verdict(estimate) + notes(estimate.model);
}

std::string estimate_table(const TrainingEstimate& estimate) {
  const auto& need = estimate.need;
  auto text = heading(estimate.model, estimate.options.context) +
              format_text(", training with batch {} on {} GPUs\n\n", estimate.options.batch, estimate.options.gpus);
  text += row("ON EACH GPU", need.total()) + row("weights", need.weights) + row("optimizer", need.optimizer);
  text += row("gradients", need.gradients) + row("activations", need.activations) + row("loss", need.loss);
  text += row("working", need.working) + row("step", need.step) + row("slack", need.slack);
  text += format_text("\nThe most is there at the {}: not all parts are there at once.", to_string(need.peak));
  return text + overhead() + verdict(estimate) + notes(estimate.model);
}

std::string estimate_table(const VllmEstimate& estimate) {
  const auto& [model, options, need] = estimate;
  auto text = heading(model, options.context) +
              format_text(", vLLM on {} x {}\n\n", options.parallel, format_bytes(options.total));
  text += row("ON EACH GPU", need.budget) + row("weights", need.weights) + row("activations", need.activations);
  text += row("outside", need.outside) + row("KV cache", need.cache);
  return text + "\n" + verdict(estimate) + notes(model);
}

std::string estimate_table(const ProfileEstimate& estimate) {
  const auto base = estimate.profile.base;
  auto text = format_text("{}, a profile, batch {}, context {}: a rough line\n\n", estimate.profile.name,
                          estimate.batch, estimate.context);
  text += row("ON ALL GPUS", estimate.usage()) + row("base", base);
  text += row("batch", estimate.profile.estimate_usage(estimate.batch, 0) - base);
  text += row("tokens", estimate.profile.estimate_usage(0, estimate.context) - base);
  if (estimate.free.empty()) return text;
  const auto margin = estimate.margin();
  text += margin < 0 ? format_text("\nDoes not fit: {} are missing.\n", format_bytes(0 - static_cast<Bytes>(margin)))
                     : format_text("\nFits, with {} to spare.\n", format_bytes(static_cast<Bytes>(margin)));
  return text + limits_text(estimate);
}

}  // namespace dualgpuopt::memory::cli
