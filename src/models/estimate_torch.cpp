
#include <algorithm>
#include <array>

#include "core/format.h"
#include "models/largest.h"
#include "models/request_text.h"
#include "models/saturated.h"

namespace dualgpuopt::memory {
namespace {

template <typename Value, std::size_t count>
using Words = std::array<std::pair<const char*, Value>, count>;

constexpr Words<Optimizer, 4> kOptimizers{{{"sgd", Optimizer::Sgd},
                                           {"momentum", Optimizer::Momentum},
                                           {"adamw", Optimizer::AdamW},
                                           {"adamw8bit", Optimizer::AdamW8bit}}};
constexpr Words<TrainingPrecision, 3> kPrecisions{
    {{"f32", TrainingPrecision::Float32}, {"mixed", TrainingPrecision::Mixed}, {"bf16", TrainingPrecision::Brain16}}};
constexpr Words<Sharding, 4> kShardings{{{"none", Sharding::None},
                                         {"optimizer", Sharding::Optimizer},
                                         {"gradients", Sharding::Gradients},
                                         {"full", Sharding::Full}}};

template <typename Value, std::size_t count>
Result<Value> one_of(const char* field, const std::string& text, const Words<Value, count>& words) {
  std::string expected;
  for (const auto& [word, value] : words) {
    if (text == word) return value;
    expected += (expected.empty() ? "" : ", ") + std::string(word);
  }
  return fail(ErrorCode::InvalidArgument,
              format_text("{}: \"{}\" is not known; expected one of {}", field, text, expected));
}

/// The weights as if they were kept in that format.
Result<void> convert(Model& model, const std::string& type) {
  if (type.empty()) return {};
  const auto wanted = parse_cache_type("weight_type", type);
  if (!wanted) return fail(wanted.error());
  auto& weights = model.weights;
  const auto bytes = static_cast<double>(weights.in_file());
  if (bytes == 0 || weights.parameters == 0) return {};
  // Quantisers leave embedding and output in 16 bits (BitsAndBytesConfig, llm_int8_skip_modules).
  constexpr double half = 2;
  const double stored = bytes / weights.parameters;
  const auto to = [&](double bytes_per_element) {
    return [factor = bytes_per_element / stored](Bytes& part) { part = saturated(factor * static_cast<double>(part)); };
  };
  const double wanted_bytes = wanted->bytes_per_element();
  for (auto* part : {&weights.input, &weights.layer_input, &weights.output}) to(std::max(wanted_bytes, half))(*part);
  std::for_each(weights.layers.begin(), weights.layers.end(), to(wanted_bytes));
  std::for_each(weights.experts.begin(), weights.experts.end(), to(wanted_bytes));
  weights.is_estimate = true;
  return {};
}

Result<TransformersOptions> resolve(const EstimateRequest& given, const Model& model, const GpuSpec& gpus) {
  const auto context = context_of(given, model.shape);
  if (!context) return fail(context.error());
  const std::string own_format = model.weights.are_of_32_bits() ? "f32" : "bf16";
  const auto cache = parse_cache_type("kv_type_k", given.key_type == "f16" ? own_format : given.key_type);
  const auto split = parse_split(given.split, gpus);
  if (!cache) return fail(cache.error());
  if (!split) return fail(split.error());
  TransformersOptions options;
  options.context = *context;
  options.batch = given.parallel;
  options.gpus = gpus.count;
  options.split = *split;
  options.cache_type = *cache;
  options.flash_attention = given.flash_attention;
  if (auto valid = options.validate(); !valid) return fail(std::move(valid.error()));
  return options;
}

bool fits(const TransformersEstimate& answer, const TransformersOptions& options) {
  const auto short_of = missing(transformers_need(answer.model, options), GpuRoom{answer.free});
  return std::all_of(short_of.begin(), short_of.end(), [](Bytes bytes) { return bytes == 0; });
}

std::vector<std::string> remedies(const TransformersEstimate& answer) {
  std::vector<std::string> found;
  auto options = answer.options;
  const auto batch = last_that(1, answer.options.batch, [&](std::uint64_t count) {
    options.batch = count;
    return fits(answer, options);
  });
  if (batch > 0) found.push_back(format_text("generate fewer sequences side by side: --batch {}", batch));
  options = answer.options;
  constexpr std::uint64_t step = 64;
  const auto steps = last_that(1, answer.options.context / step, [&](std::uint64_t count) {
    options.context = count * step;
    return fits(answer, options);
  });
  if (steps > 0) found.push_back(format_text("shorten the context to {0} tokens: --context {0}", steps * step));
  for (const auto* type : {"i8", "q4_0"}) {
    auto smaller = answer;
    if (convert(smaller.model, type) && smaller.model.weights.in_file() < answer.model.weights.in_file() &&
        fits(smaller, answer.options)) {
      found.push_back(format_text("load the weights in {} bits: --weight-type {}", type[0] == 'i' ? 8 : 4, type));
      break;
    }
  }
  return found;
}

Result<TrainingOptions> resolve_training(const EstimateRequest& given, const Model& model, const GpuSpec& gpus) {
  const auto context = context_of(given, model.shape);
  if (!context) return fail(context.error());
  const auto optimizer = one_of("optimizer", given.optimizer, kOptimizers);
  const auto precision = one_of("precision", given.precision, kPrecisions);
  const auto sharding = one_of("sharding", given.sharding, kShardings);
  if (!optimizer) return fail(optimizer.error());
  if (!precision) return fail(precision.error());
  if (!sharding) return fail(sharding.error());
  TrainingOptions options;
  options.context = *context;
  options.batch = given.parallel;
  options.gpus = gpus.count;
  options.optimizer = *optimizer;
  options.precision = *precision;
  options.sharding = *sharding;
  options.checkpointing = given.checkpointing;
  options.accumulation = given.accumulation;
  options.flash_attention = given.flash_attention;
  options.lora_rank = given.lora_rank;
  if (auto valid = options.validate(); !valid) return fail(std::move(valid.error()));
  return options;
}

Bytes for_buffers(Bytes free) { return free > kTypicalContextOverhead ? free - kTypicalContextOverhead : 0; }

}  // namespace

Result<TransformersEstimate> estimate_transformers(const EstimateRequest& given) {
  auto model = load_model(given);
  if (!model) return fail(std::move(model.error()));
  const auto gpus = parse_gpus(given.gpus);
  if (!gpus) return fail(gpus.error());
  if (auto converted = convert(*model, given.weight_type); !converted) return fail(std::move(converted.error()));
  const auto options = resolve(given, *model, *gpus);
  if (!options) return fail(options.error());
  TransformersEstimate answer{*std::move(model), *options, gpus->free, {}, {}, {}, {}};
  answer.need = transformers_need(answer.model, answer.options);
  answer.missing = missing(answer.need, GpuRoom{gpus->free});
  if (!fits(answer, answer.options)) answer.remedies = remedies(answer);
  if (!answer.free.empty()) answer.limits = limits(answer.model, answer.options, GpuRoom{answer.free});
  return answer;
}

Result<TrainingEstimate> estimate_training(const EstimateRequest& given) {
  auto model = load_model(given);
  if (!model) return fail(std::move(model.error()));
  const auto gpus = parse_gpus(given.gpus);
  if (!gpus) return fail(gpus.error());
  if (auto converted = convert(*model, given.weight_type); !converted) return fail(std::move(converted.error()));
  const auto options = resolve_training(given, *model, *gpus);
  if (!options) return fail(options.error());
  TrainingEstimate answer{*std::move(model), *options, std::nullopt, {}, {}, {}};
  if (auto note = unequal_note(*gpus)) answer.model.notes.push_back(*std::move(note));
  answer.need = training_need(answer.model, answer.options);
  if (!gpus->free.empty()) answer.free = *std::min_element(gpus->free.begin(), gpus->free.end());
  if (answer.free) answer.limits = limits(answer.model, answer.options, for_buffers(*answer.free));
  if (answer.missing() > 0)
    answer.remedies = training_remedies(answer.model, answer.options, for_buffers(*answer.free));
  return answer;
}

Bytes TrainingEstimate::missing() const {
  if (!free) return 0;
  const auto wanted = need.total() + kTypicalContextOverhead;
  return wanted > *free ? wanted - *free : 0;
}

}  // namespace dualgpuopt::memory
