#include "dualgpuopt/memory/models/estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>

namespace dualgpuopt::memory {
namespace {

std::vector<std::string> pieces(const std::string& text) {
  std::vector<std::string> pieces;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    pieces.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return pieces;
}

std::optional<double> plain_number(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

/// "2", so many GPUs of any size, or "24GiB,16GiB", what is free on each.
struct GpuSpec {
  std::size_t count = 0;
  std::vector<Bytes> free;
};

Result<GpuSpec> parse_gpus(const std::string& text) {
  constexpr double most = 64;
  if (const auto count = plain_number(text);
      count && *count >= 0 && *count <= most && *count == static_cast<double>(static_cast<int>(*count))) {
    return GpuSpec{static_cast<std::size_t>(*count), {}};
  }
  GpuSpec spec;
  for (const auto& piece : pieces(text)) {
    const auto size = parse_bytes(piece);
    if (!size) return fail(Error(size.error()).with_context("gpus"));
    spec.free.push_back(*size);
  }
  spec.count = spec.free.size();
  return spec;
}

Result<std::vector<double>> parse_split(const std::string& text) {
  std::vector<double> shares;
  if (text.empty()) return shares;
  for (const auto& piece : pieces(text)) {
    const auto share = plain_number(piece);
    if (!share)
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("split: \"{}\" is no number; expected shares such as 3,1", piece));
    shares.push_back(*share);
  }
  return shares;
}

Result<TensorType> parse_cache_type(const char* option, const std::string& text) {
  if (const auto type = tensor_type(text == "fp8" ? "i8" : text)) return *type;
  return fail(
      ErrorCode::InvalidArgument,
      fmt::format("{}: \"{}\" is not known; expected f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl, fp8 or f32",
                  option, text));
}

/// Shares as llama.cpp has them where none are given: by what is free.
std::vector<double> shares_of(const GpuSpec& gpus) {
  std::vector<double> shares;
  for (const auto free : gpus.free) shares.push_back(static_cast<double>(free));
  return shares;
}

/// Builds of llama.cpp from which on a cache is kept otherwise: latent attention (pull request 12801), caches for
/// windows (13194), latent keys without values (19067).
constexpr std::uint64_t kLatentKeysAndValues = 5146;
constexpr std::uint64_t kWindows = 5432;
constexpr std::uint64_t kLatentKeysOnly = 7830;

void apply_build(std::uint64_t build, KvCacheOptions& cache) {
  if (build < kWindows) cache.full_window = true;
  if (build < kLatentKeysOnly) cache.latent = LatentCache::KeyAndValue;
  if (build < kLatentKeysAndValues) cache.latent = LatentCache::Expanded;
}

/// "b5400", "build: 5400 (33eff402)" and the like, or "ik".
Result<void> apply_version(const std::string& version, LlamaCppOptions& options) {
  if (version.empty()) return {};
  if (version.starts_with("ik")) {
    options.fork = LlamaCppFork::Ik;
    options.cache.full_window = true;
    return {};
  }
  const auto digits = version.find_first_of("0123456789");
  const auto build = digits == std::string::npos ? 0 : std::strtoull(version.c_str() + digits, nullptr, 10);
  if (build == 0) {
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("runtime_version: \"{}\" is not known; expected a build such as b5400, or ik for ik_llama.cpp",
                    version));
  }
  apply_build(build, options.cache);
  return {};
}

LatentCache latent_cache(int mode) {
  if (mode == 0) return LatentCache::Expanded;
  return mode == 1 ? LatentCache::KeyAndValue : LatentCache::KeyOnly;
}

Result<LlamaCppOptions> resolve(const EstimateRequest& given, const Model& model, const GpuSpec& gpus) {
  LlamaCppOptions options;
  const auto keys = parse_cache_type("kv_type_k", given.key_type);
  const auto values = parse_cache_type("kv_type_v", given.value_type);
  const auto split = parse_split(given.split);
  if (!keys) return fail(keys.error());
  if (!values) return fail(values.error());
  if (!split) return fail(split.error());
  options.cache.key_type = *keys;
  options.cache.value_type = *values;
  options.cache.context = given.context > 0 ? given.context : std::max<std::uint64_t>(model.shape.context, 512);
  options.cache.sequences = given.parallel;
  options.cache.micro_batch = given.micro_batch;
  options.cache.full_window = given.full_window;
  options.cache.unified = given.unified || given.parallel == 1;
  options.flash_attention = given.flash_attention;
  options.gpus = gpus.count;
  options.split = split->empty() ? shares_of(gpus) : *split;
  options.mode = given.split_rows ? SplitMode::Row : SplitMode::Layer;
  options.main_gpu = given.main_gpu;
  options.gpu_layers = given.gpu_layers;
  options.host_expert_layers = given.cpu_moe ? model.shape.layers.size() : given.host_expert_layers;
  if (auto applied = apply_version(given.version, options); !applied) return fail(std::move(applied.error()));
  if (given.latent) options.cache.latent = latent_cache(*given.latent);
  if (auto valid = options.validate(); !valid) return fail(std::move(valid.error()));
  return options;
}

Result<Model> load(const EstimateRequest& given) {
  if (!given.hparams.empty()) return load_hparams(given.hparams);
  if (given.model.empty()) return fail(ErrorCode::InvalidArgument, "give a model, or hyper-parameters (hparams)");
  const std::filesystem::path path(given.model);
  const bool is_hugging_face =
      std::filesystem::is_directory(path) || path.extension() == ".json" || path.extension() == ".safetensors";
  return is_hugging_face ? load_hf_model(path) : load_gguf_model(path);
}

/// vLLM's GPUs are alike; of unequal ones the smallest counts.
Result<VllmOptions> resolve_vllm(const EstimateRequest& given, const Model& model) {
  const auto gpus = parse_gpus(given.gpus);
  if (!gpus) return fail(gpus.error());
  const auto cache = parse_cache_type("--kv-type-k", given.key_type);
  if (!cache) return fail(cache.error());
  VllmOptions options;
  options.total = gpus->free.empty() ? 0 : *std::min_element(gpus->free.begin(), gpus->free.end());
  options.utilization = given.utilization;
  options.parallel = gpus->count;
  options.context = given.context > 0 ? given.context : model.shape.context;
  options.batched_tokens = given.batched_tokens;
  options.cache_type = *cache;
  if (given.parallel > 1) options.sequences = given.parallel;
  if (auto valid = options.validate(); !valid) return fail(std::move(valid.error()));
  return options;
}

}  // namespace

Result<LlamaCppEstimate> estimate_llamacpp(const EstimateRequest& given) {
  auto model = load(given);
  if (!model) return fail(std::move(model.error()));
  const auto gpus = parse_gpus(given.gpus);
  if (!gpus) return fail(gpus.error());
  const auto options = resolve(given, *model, *gpus);
  if (!options) return fail(options.error());
  LlamaCppEstimate answer{*std::move(model), *options, gpus->free, {}, {}, {}};
  const GpuRoom room{gpus->free};
  answer.need = llamacpp_need(answer.model, answer.options);
  answer.missing = missing(answer.need, room);
  if (std::any_of(answer.missing.begin(), answer.missing.end(), [](Bytes bytes) { return bytes > 0; })) {
    answer.remedies = remedies(answer.model, answer.options, room);
  }
  return answer;
}

Result<VllmEstimate> estimate_vllm(const EstimateRequest& given) {
  auto model = load(given);
  if (!model) return fail(std::move(model.error()));
  const auto options = resolve_vllm(given, *model);
  if (!options) return fail(options.error());
  const auto need = vllm_need(*model, *options);
  return VllmEstimate{*std::move(model), *options, need};
}

Bytes VllmEstimate::missing() const {
  const auto wanted = need.weights + need.activations + need.outside + options.context * need.bytes_per_token;
  return wanted > need.budget ? wanted - need.budget : 0;
}

}  // namespace dualgpuopt::memory
