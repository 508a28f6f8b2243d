#include <algorithm>
#include <iterator>

#include "core/format.h"
#include "dualgpuopt/memory/models/training.h"
#include "models/largest.h"

namespace dualgpuopt::memory {
namespace {

bool fits(const Model& model, const TrainingOptions& options, Bytes available) {
  return training_need(model, options).total() <= available;
}

using Change = void (*)(TrainingOptions&);
struct Remedy {
  Change change;
  const char* words;
};

constexpr Remedy kRemedies[] = {
    {[](TrainingOptions& o) { o.flash_attention = true; }, "use flash attention: --flash-attn on"},
    {[](TrainingOptions& o) { o.checkpointing = true; }, "compute activations again: --checkpointing"},
    {[](TrainingOptions& o) { o.optimizer = Optimizer::AdamW8bit; },
     "keep the optimizer's states in 8 bits: --optimizer adamw8bit"},
    {[](TrainingOptions& o) { o.sharding = Sharding::Full; },
     "spread weights and states over the GPUs: --sharding full"},
    {[](TrainingOptions& o) { o.lora_rank = 16; }, "train adapters alone: --lora-rank 16"},
};

/// To take the same steps it keeps the gradients.
std::optional<std::string> smaller_batch(const Model& model, TrainingOptions options, Bytes available) {
  options.accumulation = true;
  const auto batch = largest_training_batch(model, options, available);
  if (batch == 0 || batch >= options.batch) return std::nullopt;
  return format_text("compute fewer sequences at once and accumulate: --batch {} --accumulation", batch);
}

std::optional<std::string> shorter_sequences(const Model& model, TrainingOptions options, Bytes available) {
  constexpr std::uint64_t step = 64;
  const auto steps = last_that(1, options.context / step, [&](std::uint64_t count) {
    options.context = count * step;
    return fits(model, options, available);
  });
  if (steps == 0) return std::nullopt;
  return format_text("shorten the sequences to {0} tokens: --context {0}", steps * step);
}

constexpr Remedy kOneSequence{[](TrainingOptions& o) {
                                o.batch = 1;
                                o.accumulation = true;
                              },
                              "compute one sequence at once and accumulate: --batch 1 --accumulation"};

bool fits_with(const std::vector<Remedy>& changes, const Model& model, TrainingOptions options, Bytes available) {
  for (const auto& remedy : changes) remedy.change(options);
  return fits(model, options, available);
}

/// Where no change is enough alone: one after the other until it fits, and then without those that are not needed.
std::vector<Remedy> changes_together(const Model& model, const TrainingOptions& options, Bytes available) {
  std::vector<Remedy> changes;
  if (options.batch > 1) changes.push_back(kOneSequence);
  for (const auto& remedy : kRemedies) {
    if (fits_with(changes, model, options, available)) break;
    changes.push_back(remedy);
  }
  if (!fits_with(changes, model, options, available)) return {};
  for (std::size_t i = changes.size(); i > 0; --i) {
    auto fewer = changes;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i - 1));
    if (fits_with(fewer, model, options, available)) changes = std::move(fewer);
  }
  return changes;
}

std::string words_of(const std::vector<Remedy>& changes) {
  std::string words;
  for (const auto& remedy : changes) words += (words.empty() ? "" : "; and ") + std::string(remedy.words);
  return words;
}

}  // namespace

std::uint64_t largest_training_batch(const Model& model, TrainingOptions options, Bytes available) {
  constexpr std::uint64_t most = 1U << 20;
  return last_that(1, most, [&](std::uint64_t batch) {
    options.batch = batch;
    return fits(model, options, available);
  });
}

std::vector<std::string> training_remedies(const Model& model, const TrainingOptions& options, Bytes available) {
  std::vector<std::string> found;
  if (auto words = smaller_batch(model, options, available)) found.push_back(*std::move(words));
  for (const auto& [change, words] : kRemedies) {
    auto changed = options;
    change(changed);
    if (fits(model, changed, available)) found.emplace_back(words);
  }
  if (auto words = shorter_sequences(model, options, available)) found.push_back(*std::move(words));
  if (!found.empty()) return found;
  if (auto words = words_of(changes_together(model, options, available)); !words.empty())
    found.push_back(std::move(words));
  return found;
}

}  // namespace dualgpuopt::memory
