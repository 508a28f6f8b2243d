#include "dualgpuopt/memory/models/fit.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "core/format.h"
#include "models/best_split.h"
#include "models/largest.h"

namespace dualgpuopt::memory {
namespace {

Bytes used_of(const DeviceNeed& need, const GpuRoom& room) {
  return need.total() == 0 ? 0 : need.total() + room.overhead;
}

}  // namespace

std::optional<LayerSplit> best_llamacpp_split(const Model& model, LlamaCppOptions options, const GpuRoom& room) {
  const auto all = model.shape.layers.size() + 1;
  const auto layers = std::min<std::uint64_t>(options.gpu_layers.value_or(all), all);
  if (options.gpus < 2 || options.mode == SplitMode::Row || layers == 0) return std::nullopt;
  return best_split(layers, {room.free.begin(), room.free.end()}, [&](const std::vector<std::uint64_t>& counts) {
    options.split.assign(counts.begin(), counts.end());
    return margins(llamacpp_need(model, options), room);
  });
}

std::vector<SignedBytes> margins(const std::vector<DeviceNeed>& need, const GpuRoom& room) {
  std::vector<SignedBytes> margins;
  for (std::size_t i = 0; i < room.free.size() && i < need.size(); ++i)
    margins.push_back(difference(room.free[i], used_of(need[i], room)));
  return margins;
}

std::vector<Bytes> missing(const std::vector<DeviceNeed>& need, const GpuRoom& room) {
  std::vector<Bytes> missing;
  for (std::size_t i = 0; i < room.free.size() && i < need.size(); ++i) {
    const auto used = used_of(need[i], room);
    missing.push_back(used > room.free[i] ? used - room.free[i] : 0);
  }
  return missing;
}

SignedBytes least_margin(const std::vector<DeviceNeed>& need, const GpuRoom& room) {
  const auto left = margins(need, room);
  return left.empty() ? 0 : *std::min_element(left.begin(), left.end());
}

bool fits(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  const auto short_of = missing(llamacpp_need(model, options), room);
  return std::all_of(short_of.begin(), short_of.end(), [](Bytes bytes) { return bytes == 0; });
}

std::uint64_t largest_context(const Model& model, LlamaCppOptions options, const GpuRoom& room, std::uint64_t most) {
  const auto step = std::max<std::uint64_t>(options.cache.padding, 1);
  const auto steps = last_that(1, most / step, [&](std::uint64_t count) {
    options.cache.context = count * step;
    return fits(model, options, room);
  });
  return steps * step;
}

LlamaCppOptions with_sequences(LlamaCppOptions options, std::uint64_t sequences) {
  auto& cache = options.cache;
  const auto each = std::max<std::uint64_t>(cache.context / std::max<std::uint64_t>(cache.sequences, 1), 1);
  cache.context = each > std::numeric_limits<std::uint64_t>::max() / std::max<std::uint64_t>(sequences, 1)
                      ? cache.context
                      : each * sequences;
  cache.sequences = sequences;
  return options;
}

std::uint64_t largest_batch(const Model& model, const LlamaCppOptions& options, const GpuRoom& room,
                            std::uint64_t most) {
  return last_that(1, most, [&](std::uint64_t count) { return fits(model, with_sequences(options, count), room); });
}

std::optional<std::uint64_t> most_gpu_layers(const Model& model, LlamaCppOptions options, const GpuRoom& room) {
  const auto all = model.shape.layers.size() + 1;
  const auto holds = [&](std::uint64_t count) {
    options.gpu_layers = count - 1;
    return fits(model, options, room);
  };
  // With all of them no weights are copied from host memory, so that less can fit where more does.
  if (holds(all + 1)) return all;
  const auto layers = last_that(1, all, holds);
  return layers == 0 ? std::nullopt : std::optional(layers - 1);
}

std::optional<std::uint64_t> fewest_host_expert_layers(const Model& model, LlamaCppOptions options,
                                                       const GpuRoom& room) {
  const auto all = model.shape.layers.size();
  const auto is_too_few = [&](std::uint64_t count) {
    options.host_expert_layers = count;
    return !fits(model, options, room);
  };
  if (model.shape.experts.count == 0 || is_too_few(all)) return std::nullopt;
  return last_that(1, all, [&](std::uint64_t count) { return is_too_few(count - 1); });
}

std::string LayerSplit::text() const { return format_text("{}", fmt::join(layers, ",")); }

}  // namespace dualgpuopt::memory
