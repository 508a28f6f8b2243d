#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/estimate_vllm.h"
#include "dualgpuopt/memory/models/fit.h"

namespace dualgpuopt::memory::cli {
namespace {

using Json = nlohmann::ordered_json;

struct EstimateOptions {
  std::string model;
  std::string hparams;
  std::uint64_t context = 0;
  std::uint64_t parallel = 1;
  std::uint64_t micro_batch = 512;
  std::string key_type = "f16";
  std::string value_type = "f16";
  std::string gpus = "1";
  std::string split;
  std::string split_mode = "layer";
  std::size_t main_gpu = 0;
  std::optional<std::uint64_t> gpu_layers;
  bool cpu_moe = false;
  std::uint64_t host_expert_layers = 0;
  std::string flash_attention = "on";
  bool full_window = false;
  bool unified = false;
  std::optional<int> latent;
  std::string version;
  std::string runtime = "llama.cpp";
  double utilization = 0.9;
  std::uint64_t batched_tokens = 8192;
  bool json = false;
};

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
    if (!size) return fail(Error(size.error()).with_context("--gpus"));
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
                  fmt::format("--split: \"{}\" is no number; expected shares such as 3,1", piece));
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
        fmt::format("--runtime-version: \"{}\" is not known; expected a build such as b5400, or ik for ik_llama.cpp",
                    version));
  }
  apply_build(build, options.cache);
  return {};
}

LatentCache latent_cache(int mode) {
  if (mode == 0) return LatentCache::Expanded;
  return mode == 1 ? LatentCache::KeyAndValue : LatentCache::KeyOnly;
}

Result<LlamaCppOptions> resolve(const EstimateOptions& given, const Model& model, const GpuSpec& gpus) {
  LlamaCppOptions options;
  const auto keys = parse_cache_type("--kv-type-k", given.key_type);
  const auto values = parse_cache_type("--kv-type-v", given.value_type);
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
  options.flash_attention = given.flash_attention == "on";
  options.gpus = gpus.count;
  options.split = split->empty() ? shares_of(gpus) : *split;
  options.mode = given.split_mode == "row" ? SplitMode::Row : SplitMode::Layer;
  options.main_gpu = given.main_gpu;
  options.gpu_layers = given.gpu_layers;
  options.host_expert_layers = given.cpu_moe ? model.shape.layers.size() : given.host_expert_layers;
  if (auto applied = apply_version(given.version, options); !applied) return fail(std::move(applied.error()));
  if (given.latent) options.cache.latent = latent_cache(*given.latent);
  if (auto valid = options.validate(); !valid) return fail(std::move(valid.error()));
  return options;
}

Result<Model> load(const EstimateOptions& given) {
  if (!given.hparams.empty()) return load_hparams(given.hparams);
  if (given.model.empty()) return fail(ErrorCode::InvalidArgument, "give a model, or --hparams FILE");
  const std::filesystem::path path(given.model);
  const bool is_hugging_face =
      std::filesystem::is_directory(path) || path.extension() == ".json" || path.extension() == ".safetensors";
  return is_hugging_face ? load_hf_model(path) : load_gguf_model(path);
}

/// The answer, with all that the two ways of showing it need.
struct Answer {
  Model model;
  LlamaCppOptions options;
  GpuSpec gpus;
  std::vector<DeviceNeed> need;
  std::vector<Bytes> missing;
  std::vector<std::string> remedies;
};

Result<Answer> estimate(const EstimateOptions& given) {
  auto model = load(given);
  if (!model) return fail(std::move(model.error()));
  const auto gpus = parse_gpus(given.gpus);
  if (!gpus) return fail(gpus.error());
  const auto options = resolve(given, *model, *gpus);
  if (!options) return fail(options.error());
  Answer answer{*std::move(model), *options, *gpus, {}, {}, {}};
  const GpuRoom room{gpus->free};
  answer.need = llamacpp_need(answer.model, answer.options);
  answer.missing = missing(answer.need, room);
  if (std::any_of(answer.missing.begin(), answer.missing.end(), [](Bytes bytes) { return bytes > 0; })) {
    answer.remedies = remedies(answer.model, answer.options, room);
  }
  return answer;
}

std::string device_name(const DeviceNeed& need) { return need.gpu ? fmt::format("GPU {}", *need.gpu) : "host"; }

Json device_record(const DeviceNeed& need) {
  return {{"device", device_name(need)},
          {"layers", need.layers},
          {"weights_bytes", need.weights},
          {"kv_cache_bytes", need.kv_cache},
          {"state_bytes", need.state},
          {"compute_bytes", need.compute},
          {"output_bytes", need.output},
          {"total_bytes", need.total()},
          {"context_overhead_bytes", need.gpu && need.total() > 0 ? kTypicalContextOverhead : 0}};
}

Bytes all_kv(const Answer& answer) {
  Bytes sum = 0;
  for (const auto& need : answer.need) sum += need.kv_cache;
  return sum;
}

Json fit_record(const Answer& answer) {
  if (answer.gpus.free.empty()) return nullptr;
  const bool is_enough =
      std::all_of(answer.missing.begin(), answer.missing.end(), [](Bytes bytes) { return bytes == 0; });
  return {{"fits", is_enough}, {"missing_bytes", answer.missing}, {"remedies", answer.remedies}};
}

std::string json_line(const Answer& answer) {
  Json record{{"schema", 1}, {"type", "estimate"}, {"runtime", "llama.cpp"}};
  record["architecture"] = answer.model.shape.architecture;
  record["model"] = answer.model.shape.name;
  record["layers"] = answer.model.shape.layers.size();
  record["context"] = answer.options.cache.context;
  record["weights_exact"] = !answer.model.weights.is_estimate;
  record["weights_bytes"] = answer.model.weights.in_file();
  record["kv_cache_bytes"] = all_kv(answer);
  record["devices"] = Json::array();
  for (const auto& need : answer.need) record["devices"].push_back(device_record(need));
  record["fit"] = fit_record(answer);
  return record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string table(const Answer& answer) {
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

std::string verdict(const Answer& answer) {
  std::string text;
  for (std::size_t i = 0; i < answer.missing.size(); ++i) {
    const auto& need = answer.need[i];
    const auto used = need.total() == 0 ? 0 : need.total() + kTypicalContextOverhead;
    if (answer.missing[i] > 0) {
      text += fmt::format("Does not fit on GPU {}: {} are missing.\n", i, format_bytes(answer.missing[i]));
    } else {
      text += fmt::format("Fits on GPU {}, with {} to spare.\n", i, format_bytes(answer.gpus.free[i] - used));
    }
  }
  for (const auto& remedy : answer.remedies) text += "To make it fit: " + remedy + "\n";
  return text;
}

/// vLLM's GPUs are alike; of unequal ones the smallest counts.
Result<VllmOptions> resolve_vllm(const EstimateOptions& given, const Model& model) {
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

int show_vllm(const EstimateOptions& given) {
  const auto model = load(given);
  if (!model) return report(model.error());
  const auto options = resolve_vllm(given, *model);
  if (!options) return report(options.error());
  Output output;
  const auto written = output.write(given.json ? vllm_json(*model, *options) : vllm_table(*model, *options));
  return written ? kFine : report(written.error());
}

int show(const EstimateOptions& given) {
  if (given.runtime == "vllm") return show_vllm(given);
  const auto answer = estimate(given);
  if (!answer) return report(answer.error());
  Output output;
  const auto written = output.write(given.json ? json_line(*answer) : table(*answer) + verdict(*answer));
  return written ? kFine : report(written.error());
}

}  // namespace

void add_estimate(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("estimate", "How much GPU memory a model needs, before it is loaded");
  const auto options = std::make_shared<EstimateOptions>();
  command->add_option("MODEL", options->model,
                      "A GGUF file (of a split one any part), a folder or file of safetensors, or a config.json");
  command->add_option("--hparams", options->hparams, "Instead: hyper-parameters as a log prints them, as JSON");
  command->add_option("-c,--context", options->context, "Tokens; what the model was trained for if not given");
  command->add_option("--parallel,--batch", options->parallel, "Sequences side by side")->check(CLI::Range(1, 4096));
  command->add_option("--ubatch", options->micro_batch, "Tokens computed at once")->check(CLI::Range(1, 1 << 20));
  command->add_option("--kv-type-k", options->key_type, "Number format of the keys: f16, q8_0, q4_0, …");
  command->add_option("--kv-type-v", options->value_type, "Number format of the values");
  command->add_option("--gpus", options->gpus, "How many, or what is free on each, as in 24GiB,16GiB; 0: none");
  command->add_option("--split", options->split, "Each GPU's share, as in 3,1; by what is free if not given");
  command->add_option("--split-mode", options->split_mode, "layer or row")->check(CLI::IsMember({"layer", "row"}));
  command->add_option("--main-gpu", options->main_gpu, "The GPU of the cache, with --split-mode row");
  command->add_option("--gpu-layers", options->gpu_layers,
                      "So many layers on the GPUs, the output being one; all if not given");
  command->add_flag("--cpu-moe", options->cpu_moe, "All experts in host memory");
  command->add_option("--n-cpu-moe", options->host_expert_layers, "The experts of so many layers in host memory");
  command->add_option("--flash-attn", options->flash_attention, "on or off")->check(CLI::IsMember({"on", "off"}));
  command->add_flag("--swa-full", options->full_window, "Sliding-window layers keep the whole context");
  command->add_flag("--kv-unified", options->unified, "Sequences share the context");
  command->add_option("--mla", options->latent, "0 to 3: how latent attention is kept")->check(CLI::Range(0, 3));
  command->add_option("--runtime-version", options->version, "A build such as b5400, or ik for ik_llama.cpp");
  command->add_option("--runtime", options->runtime, "llama.cpp or vllm")->check(CLI::IsMember({"llama.cpp", "vllm"}));
  command->add_option("--gpu-memory-utilization", options->utilization, "Of vLLM: the share of each GPU it takes");
  command->add_option("--max-num-batched-tokens", options->batched_tokens, "Of vLLM");
  command->add_flag("--json", options->json, "One JSON line");
  command->footer("Example: gpumem estimate model.gguf --context 32768 --gpus 24GiB,24GiB");
  command->callback([&action, options] { action = [options] { return show(*options); }; });
}

}  // namespace dualgpuopt::memory::cli
