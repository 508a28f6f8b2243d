#include "dualgpuopt/memory/models/estimate.h"

#include <algorithm>
#include <array>
#include <charconv>
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

/// Of "5400", "b5400", "build: 5400 (33eff402)", "main: build = 5400" and the like; 0 for what is none.
std::uint64_t build_number(std::string_view text) {
  for (const std::string_view word : {"build", "version"}) {
    if (const auto at = text.find(word); at != std::string_view::npos) text.remove_prefix(at + word.size());
  }
  text.remove_prefix(std::min(text.find_first_not_of(" :=b"), text.size()));
  std::uint64_t build = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), build);
  const bool is_whole = end == text.data() + text.size() || *end == ' ';
  return error == std::errc() && is_whole ? build : 0;
}

/// A build, or "ik".
Result<void> apply_version(const std::string& version, LlamaCppOptions& options) {
  if (version.empty()) return {};
  if (version == "ik" || version.starts_with("ik_llama")) {
    options.fork = LlamaCppFork::Ik;
    options.cache.full_window = true;
    options.cache.indexers = false;
    options.cache.unified = true;
    pad_finely(options);
    return {};
  }
  const auto build = build_number(version);
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

/// llama.cpp knows windows of some families alone: of Mistral's, Phi 3's and Qwen 2's it keeps all tokens.
void widen_windows(Model& model) {
  auto& shape = model.shape;
  if (!model.is_of_config || shape.window == 0 || has_window_rule(shape.architecture)) return;
  shape.window = 0;
  for (auto& layer : shape.layers) {
    if (layer.cache == LayerCache::Window) layer.cache = LayerCache::Full;
  }
}

/// As vLLM's ModelConfig.verify_with_parallel_config and its attention layers have it: key-value heads are divided, or
/// kept several times.
Result<void> check_parallel(const ModelShape& shape, const VllmOptions& options) {
  const auto divides = [](std::uint64_t count, std::uint64_t by) { return by == 0 || count % by == 0; };
  const auto refuse = [&](std::uint64_t heads, const char* what) {
    return fail(ErrorCode::InvalidArgument,
                format_text("gpus: vLLM does not divide {} {} by {} GPUs; take a number that divides them", heads, what,
                            options.parallel));
  };
  for (const auto& layer : shape.layers) {
    if (!divides(layer.heads, options.parallel)) return refuse(layer.heads, "heads");
    const auto kv_heads = shape.latent.rank > 0 ? 0 : layer.kv_heads;
    if (!divides(kv_heads, options.parallel) && !divides(options.parallel, kv_heads))
      return refuse(kv_heads, "key-value heads");
  }
  return {};
}

/// What vLLM would do otherwise than asked, or not at all.
void add_notes(Model& model, const VllmOptions& options) {
  if (model.shape.context > 0 && options.context > model.shape.context)
    model.notes.push_back(format_text(
        "the model was trained for {} tokens: vLLM refuses more unless it is told otherwise", model.shape.context));
  if (!model.weights.are_of_32_bits()) return;
  for (auto* part : {&model.weights.input, &model.weights.layer_input, &model.weights.output}) *part /= 2;
  for (auto& layer : model.weights.layers) layer /= 2;
  for (auto& layer : model.weights.experts) layer /= 2;
  model.notes.emplace_back("vLLM loads weights of 32 bits as 16 bits, and so they are counted");
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
  if (given.full_window && answer.model.shape.window == 0)
    notes.emplace_back("the model has no sliding window that --swa-full could widen");
  if (given.latent && answer.model.shape.latent.rank == 0)
    notes.emplace_back("the model has no latent attention that --mla could keep otherwise");
  if (given.gpu_layers && answer.options.gpus == 0) notes.emplace_back("there are no GPUs for --gpu-layers");
  if (!given.override_tensor.empty() && answer.options.placed.empty())
    notes.emplace_back("no tensor has a name that --override-tensor matches");
}

}  // namespace

Result<LlamaCppEstimate> estimate_llamacpp(const EstimateRequest& given) {
  auto model = load_model(given);
  if (!model) return fail(std::move(model.error()));
  widen_windows(*model);
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
  add_notes(*model, *options);
  const auto need = vllm_need(*model, *options);
  return VllmEstimate{*std::move(model), *options, need};
}

Bytes VllmEstimate::missing() const {
  const auto wanted = need.weights + need.activations + need.outside + need.cache_for(options.context);
  return wanted > need.budget ? wanted - need.budget : 0;
}

}  // namespace dualgpuopt::memory
