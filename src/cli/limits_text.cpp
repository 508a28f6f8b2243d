#include "cli/limits_text.h"

#include <algorithm>

#include "core/format.h"

namespace dualgpuopt::memory::cli {
namespace {

std::string line(std::string_view what, const std::string& answer, SignedBytes margin) {
  const auto left = margin >= 0 ? format_text("{} to spare", format_bytes(static_cast<Bytes>(margin)))
                                : format_text("{} missing", format_bytes(0 - static_cast<Bytes>(margin)));
  return format_text("{:<17}{:<40}{}\n", what, answer, left);
}

std::string context_line(const std::optional<Limit>& limit, std::uint64_t trained) {
  if (!limit) return "";
  const bool is_beyond = trained > 0 && limit->amount > trained;
  const auto beyond = is_beyond ? format_text(" (trained for {})", trained) : "";
  return line("Largest context", format_text("--context {}{}", limit->amount, beyond), limit->margin);
}

std::string layers_line(const std::optional<Limit>& limit, std::size_t layers) {
  if (!limit) return "";
  return line("Most GPU layers", format_text("--gpu-layers {} of {}", limit->amount, layers), limit->margin);
}

std::string split_line(const std::optional<LayerSplit>& split) {
  return split ? line("Best split", format_text("--split {}", split->text()), split->margin) : "";
}

/// With a line before, as there is something.
std::string under_heading(const std::string& lines) {
  return lines.empty() ? "" : "\nThe most that fits, each alone:\n" + lines;
}

std::string batch_line(const std::optional<Limit>& limit) {
  return limit ? line("Largest batch", format_text("--batch {}", limit->amount), limit->margin) : "";
}

}  // namespace

std::string limits_text(const FitLimits& limits, const Model& model, const LlamaCppOptions& options) {
  auto text = context_line(limits.context, model.shape.context);
  if (const auto& most = limits.sequences) {
    const auto context = with_sequences(options, most->amount).cache.context;
    text += line("Largest batch", format_text("--parallel {} --context {}", most->amount, context), most->margin);
  }
  return under_heading(text + layers_line(limits.gpu_layers, model.shape.layers.size() + 1) + split_line(limits.split));
}

std::string limits_text(const FitLimits& limits, const Model& model, const TransformersOptions& /*options*/) {
  return under_heading(context_line(limits.context, model.shape.context) + batch_line(limits.sequences) +
                       split_line(limits.split));
}

std::string limits_text(const FitLimits& limits, const Model& model, const TrainingOptions& /*options*/) {
  return under_heading(context_line(limits.context, model.shape.context) + batch_line(limits.sequences));
}

std::string limits_text(const FitLimits& limits, const Model& model, const VllmOptions& options) {
  const auto& most = limits.sequences;
  const auto requests =
      most ? line("Most requests", format_text("{} of {} tokens side by side", most->amount, options.context),
                  most->margin)
           : "";
  return under_heading(context_line(limits.context, model.shape.context) + requests);
}

std::string limits_text(const ProfileEstimate& estimate) {
  FitLimits limits;
  auto changed = estimate;
  if (const auto most = estimate.longest_context(); most.value_or(0) > 0) {
    changed.context = *most;
    limits.context = Limit{*most, changed.margin()};
  }
  changed = estimate;
  if (const auto most = estimate.largest_batch(); most.value_or(0) > 0) {
    changed.batch = *most;
    limits.sequences = Limit{*most, changed.margin()};
  }
  return under_heading(context_line(limits.context, 0) + batch_line(limits.sequences));
}

}  // namespace dualgpuopt::memory::cli
