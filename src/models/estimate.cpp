#include "dualgpuopt/memory/models/estimate.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>

#include "core/format.h"
#include "models/request_text.h"

namespace dualgpuopt::memory {
namespace {

/// Builds of llama.cpp from which on something is kept or computed otherwise, by pull request; those of 14363, 17046
/// and 25407 are as near as the dates of merging tell.
constexpr std::uint64_t kLatentKeysAndValues = 5146;  // 12801
constexpr std::uint64_t kWindows = 5432;              // 13194
constexpr std::uint64_t kGates = 5775;                // 14158
constexpr std::uint64_t kStreams = 5910;              // 14363
constexpr std::uint64_t kOnePadding = 6970;           // 17046
constexpr std::uint64_t kOutputFirst = 7470;          // 18148
constexpr std::uint64_t kLatentKeysOnly = 7830;       // 19067
constexpr std::uint64_t kHalfMasks = 9400;            // 23764
constexpr std::uint64_t kOneOutput = 9470;            // 23861
constexpr std::uint64_t kIndexers = 10200;            // 25407

/// Of the context without flash attention, from pull request 7257 (May 2024) on; then 256 as with it.
constexpr std::uint64_t kFinePadding = 32;

void pad_finely(LlamaCppOptions& options) {
  if (!options.flash_attention) options.cache.padding = kFinePadding;
}

void apply_build(std::uint64_t build, LlamaCppOptions& options) {
  auto& cache = options.cache;
  if (build < kWindows) cache.full_window = true;
  if (build < kStreams) cache.unified = true;
  if (build < kOnePadding) pad_finely(options);
  if (build < kLatentKeysOnly) cache.latent = LatentCache::KeyAndValue;
  if (build < kLatentKeysAndValues) cache.latent = LatentCache::Expanded;
  options.gates_in_place = build < kGates;
  options.output_first = build >= kOutputFirst;
  options.half_masks = build >= kHalfMasks;
  options.one_output = build >= kOneOutput;
  cache.indexers = build >= kIndexers;
}

/// "b5400", "build: 5400 (33eff402)" and the like, or "ik".
Result<void> apply_version(const std::string& version, LlamaCppOptions& options) {
  if (version.empty()) return {};
  if (version.starts_with("ik")) {
    options.fork = LlamaCppFork::Ik;
    options.cache.full_window = true;
    options.cache.indexers = false;
    options.cache.unified = true;
    pad_finely(options);
    return {};
  }
  const auto digits = version.find_first_of("0123456789");
  const auto build = digits == std::string::npos ? 0 : std::strtoull(version.c_str() + digits, nullptr, 10);
  if (build == 0) {
    return fail(
        ErrorCode::InvalidArgument,
        format_text("runtime_version: \"{}\" is not known; expected a build such as b5400, or ik for ik_llama.cpp",
                    version));
  }
  apply_build(build, options);
  return {};
}

constexpr std::uint64_t kMostMebibytes = std::uint64_t{1} << 40;

/// The fork has no values besides the keys with flash attention, and no -mla 0 for files made for latent attention
/// (llama_kv_cache_init in ik_llama.cpp).
void apply_latent(int mode, const ModelShape& shape, LlamaCppOptions& options) {
  const bool is_fork = options.fork == LlamaCppFork::Ik;
  if (mode == 0 && is_fork && !shape.latent.is_expanded) mode = 1;
  options.works_on_latent = is_fork && mode == 1;
  const bool has_values = mode == 1 && !(is_fork && options.flash_attention);
  options.cache.latent = mode == 0    ? LatentCache::Expanded
                         : has_values ? LatentCache::KeyAndValue
                                      : LatentCache::KeyOnly;
}

/// What llama.cpp itself refuses (arg.cpp's kv_cache_types; llama_init_from_model).
Result<void> check_cache(const EstimateRequest& given, const LlamaCppOptions& options) {
  constexpr std::array known{"f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"};
  for (const auto& [field, type, text] : {std::tuple{"kv_type_k", options.cache.key_type.name, given.key_type},
                                          std::tuple{"kv_type_v", options.cache.value_type.name, given.value_type}}) {
    if (std::find(known.begin(), known.end(), type) == known.end())
      return fail(ErrorCode::InvalidArgument, format_text("{}: llama.cpp has no cache in {}; expected one of {}", field,
                                                          text, fmt::join(known, ", ")));
  }
  const bool is_quantised = options.cache.value_type.block_elements > 1;
  if (!is_quantised || options.flash_attention) return {};
  return fail(ErrorCode::InvalidArgument,
              format_text("kv_type_v: llama.cpp keeps values in {} with flash attention alone: leave out --flash-attn "
                          "off, or take f16",
                          options.cache.value_type.name));
}

Result<LlamaCppOptions> resolve(const EstimateRequest& given, const Model& model, const GpuSpec& gpus) {
  LlamaCppOptions options;
  const auto context = context_of(given, model.shape);
  const auto keys = parse_cache_type("kv_type_k", given.key_type);
  const auto values = parse_cache_type("kv_type_v", given.value_type);
  const auto split = parse_split(given.split, gpus);
  if (!context) return fail(context.error());
  if (!keys) return fail(keys.error());
  if (!values) return fail(values.error());
  if (!split) return fail(split.error());
  options.cache.key_type = *keys;
  options.cache.value_type = *values;
  options.cache.context = *context;
  options.cache.sequences = given.parallel;
  options.cache.micro_batch = given.micro_batch;
  options.cache.full_window = given.full_window;
  options.cache.unified = given.unified;
  options.flash_attention = given.flash_attention;
  if (auto valid = check_cache(given, options); !valid) return fail(std::move(valid.error()));
  options.gpus = gpus.count;
  options.split = *split;
  options.mode = given.split_rows ? SplitMode::Row : SplitMode::Layer;
  options.main_gpu = given.main_gpu;
  options.gpu_layers = given.gpu_layers;
  options.host_expert_layers = given.cpu_moe ? model.shape.layers.size() : given.host_expert_layers;
  options.host_ops_on_gpu = given.host_ops_on_gpu;
  options.pipeline = given.pipeline && given.override_tensor.empty();
  auto placed = place_tensors(model, given.override_tensor, gpus.count);
  if (!placed) return fail(std::move(placed.error()));
  options.placed = *std::move(placed);
  if (given.attention_limit) options.attention_limit = std::min(*given.attention_limit, kMostMebibytes) << 20;
  if (auto applied = apply_version(given.version, options); !applied) return fail(std::move(applied.error()));
  if (given.latent) {
    apply_latent(*given.latent, model.shape, options);
  } else if (model.shape.latent.is_expanded && options.fork == LlamaCppFork::Mainline) {
    options.cache.latent = LatentCache::Expanded;
  }
  if (auto valid = options.validate(); !valid) return fail(std::move(valid.error()));
  return options;
}

/// llama.cpp knows no model whose every layer has a window: of Mistral's first, and Phi 3's, it keeps all tokens.
void widen_windows(ModelShape& shape) {
  if (shape.window == 0 || shape.count(LayerCache::Window) < shape.layers.size()) return;
  shape.window = 0;
  for (auto& layer : shape.layers) layer.cache = LayerCache::Full;
}

/// As vLLM's ModelConfig.verify_with_parallel_config has it.
Result<void> check_parallel(const ModelShape& shape, const VllmOptions& options) {
  const auto heads = shape.heads();
  if (heads % options.parallel == 0) return {};
  return fail(ErrorCode::InvalidArgument,
              format_text("gpus: vLLM does not divide {} heads by {} GPUs; take a number that divides them", heads,
                          options.parallel));
}

/// vLLM's GPUs are alike; of unequal ones the smallest counts.
Result<VllmOptions> resolve_vllm(const EstimateRequest& given, const Model& model, const GpuSpec& gpus) {
  const auto context = context_of(given, model.shape);
  if (!context) return fail(context.error());
  const auto cache = parse_cache_type("kv_type_k", given.key_type);
  if (!cache) return fail(cache.error());
  if (cache->block_elements > 1 || cache->bytes_per_element() > 2)
    return fail(ErrorCode::InvalidArgument,
                format_text("kv_type_k: vLLM has no cache in {}; expected f16, bf16 or fp8", given.key_type));
  VllmOptions options;
  options.total = gpus.free.empty() ? 0 : *std::min_element(gpus.free.begin(), gpus.free.end());
  options.utilization = given.utilization;
  options.parallel = gpus.count;
  options.context = *context;
  options.batched_tokens = given.batched_tokens;
  options.cache_type = *cache;
  if (given.parallel > 1) options.sequences = given.parallel;
  if (auto valid = options.validate(); !valid) return fail(std::move(valid.error()));
  if (auto valid = check_parallel(model.shape, options); !valid) return fail(std::move(valid.error()));
  return options;
}

/// What was asked for and changes nothing.
void add_notes(const EstimateRequest& given, LlamaCppEstimate& answer) {
  auto& notes = answer.model.notes;
  if (answer.model.is_quantised_for_torch)
    notes.emplace_back(
        "the weights are quantised for vLLM and transformers: a GGUF file of this model has another size");
  if ((given.cpu_moe || given.host_expert_layers > 0) && answer.model.shape.experts.count == 0)
    notes.emplace_back("the model has no experts that --cpu-moe could keep in host memory");
  if (!given.override_tensor.empty() && answer.options.placed.empty())
    notes.emplace_back("no tensor has a name that --override-tensor matches");
}

}  // namespace

Result<LlamaCppEstimate> estimate_llamacpp(const EstimateRequest& given) {
  auto model = load_model(given);
  if (!model) return fail(std::move(model.error()));
  widen_windows(model->shape);
  const auto gpus = parse_gpus(given.gpus);
  if (!gpus) return fail(gpus.error());
  const auto options = resolve(given, *model, *gpus);
  if (!options) return fail(options.error());
  LlamaCppEstimate answer{*std::move(model), *options, gpus->free, {}, {}, {}, {}};
  add_notes(given, answer);
  const GpuRoom room{gpus->free};
  answer.need = llamacpp_need(answer.model, answer.options);
  answer.missing = missing(answer.need, room);
  if (!room.free.empty()) answer.limits = limits(answer.model, answer.options, room);
  if (std::any_of(answer.missing.begin(), answer.missing.end(), [](Bytes bytes) { return bytes > 0; })) {
    answer.remedies = remedies(answer.model, answer.options, room);
  }
  return answer;
}

Bytes placed_bytes(const LlamaCppEstimate& estimate) {
  const auto& tensors = estimate.model.tensors;
  return std::accumulate(estimate.options.placed.begin(), estimate.options.placed.end(), Bytes{0},
                         [&](Bytes sum, const TensorPlace& place) { return sum + tensors[place.tensor].bytes; });
}

Result<VllmEstimate> estimate_vllm(const EstimateRequest& given) {
  auto model = load_model(given);
  if (!model) return fail(std::move(model.error()));
  const auto gpus = parse_gpus(given.gpus);
  if (!gpus) return fail(gpus.error());
  const auto options = resolve_vllm(given, *model, *gpus);
  if (!options) return fail(options.error());
  if (auto note = unequal_note(*gpus)) model->notes.push_back(*std::move(note));
  const auto need = vllm_need(*model, *options);
  return VllmEstimate{*std::move(model), *options, need};
}

Bytes VllmEstimate::missing() const {
  const auto wanted = need.weights + need.activations + need.outside + need.cache_for(options.context);
  return wanted > need.budget ? wanted - need.budget : 0;
}

}  // namespace dualgpuopt::memory
