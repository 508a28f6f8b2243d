#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "dualgpuopt/memory/models/model_source.h"
#include "models/json_numbers.h"
#include "models/saturated.h"
#include "models/shape_defaults.h"

namespace dualgpuopt::memory {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMostLayers = 4096;
constexpr double kMostElements = 1e12;

/// The number at the beginning of "4.58 GiB (4.89 BPW)" and the word after it.
std::optional<std::pair<double, std::string>> quantity(const std::string& text) {
  std::istringstream words(text);
  double amount = 0;
  std::string unit;
  if (!(words >> amount >> unit) || !(amount > 0)) return std::nullopt;
  return std::pair(amount, unit);
}

std::optional<Bytes> file_bytes(const std::string& model_size) {
  const auto size = quantity(model_size);
  if (!size || size->first > kMostElements) return std::nullopt;
  if (size->second == "GiB") return saturated(size->first * 0x1p30);
  if (size->second == "MiB") return saturated(size->first * 0x1p20);
  return std::nullopt;
}

std::optional<double> parameters(const std::string& model_params) {
  const auto count = quantity(model_params);
  if (!count) return std::nullopt;
  if (count->second == "B") return count->first * 1e9;
  if (count->second == "M") return count->first * 1e6;
  return std::nullopt;
}

/// Layers with a dense part before the experts begin: DeepSeek's large models have three, its small ones one.
std::uint64_t dense_lead(const ModelShape& shape, std::uint64_t layers) {
  constexpr std::uint64_t large = 60;
  if (shape.architecture != "deepseek2") return 0;
  return layers > large ? 3 : 1;
}

LayerCache cache_of(const ModelShape& shape, JsonNumbers& numbers, std::uint64_t layer) {
  const auto interval = numbers.count("full_attention_interval", customary_attention_interval(shape.architecture));
  if (interval > 0 && (layer + 1) % interval != 0) return LayerCache::State;
  if (!numbers.has("global_layers")) return customary_cache(shape.architecture, layer, shape.window);
  return layer < numbers.count("global_layers") ? LayerCache::Full : LayerCache::Window;
}

LayerShape layer_of(const ModelShape& shape, JsonNumbers& numbers, std::uint64_t i) {
  LayerShape layer;
  layer.cache = cache_of(shape, numbers, i);
  layer.heads = numbers.at_layer("n_head", i);
  layer.kv_heads = numbers.at_layer("n_head_kv", i, layer.heads);
  const auto head_length = layer.heads == 0 ? 0 : shape.embedding / layer.heads;
  layer.key_length = numbers.count("n_embd_head_k", head_length);
  layer.value_length = numbers.count("n_embd_head_v", head_length);
  const char* const width = layer.cache == LayerCache::Window ? "k_gqa_swa" : "k_gqa_global";
  if (numbers.has(width)) {
    layer.kv_heads = 1;
    layer.key_length = layer.value_length = numbers.count(width);
  }
  return layer;
}

/// Layers with a state are as wide as all heads of those with attention: 4096, 6144 and 8192 of the published models.
std::uint64_t heads_width(const ModelShape& shape) {
  return shape.layers.empty() ? 0 : shape.layers.front().heads * shape.layers.front().key_length;
}

ModelShape read_shape(const Json& document, JsonNumbers& numbers) {
  ModelShape shape;
  shape.architecture = text_at(document, "arch");
  shape.name = text_at(document, "model");
  shape.embedding = numbers.required("n_embd");
  shape.vocabulary = numbers.count("n_vocab");
  shape.context = numbers.count("n_ctx_train");
  shape.window = numbers.has("n_swa") ? numbers.count("n_swa") : customary_window(shape.architecture);
  shape.experts = {numbers.count("n_expert"), numbers.count("n_expert_used"), numbers.count("n_ff_exp"),
                   numbers.count("n_ff_shexp")};
  if (shape.architecture == "deepseek2" && shape.experts.shared_feed_forward == 0)
    shape.experts.shared_feed_forward = shape.experts.feed_forward;
  if (numbers.count("n_lora_kv") > 0)
    shape.latent = {numbers.count("n_lora_kv"), numbers.count("n_lora_q"), numbers.count("n_rot")};
  const auto layers = std::min(numbers.required("n_layer"), kMostLayers);
  for (std::uint64_t i = 0; i < layers; ++i) {
    auto layer = layer_of(shape, numbers, i);
    const bool is_dense = shape.experts.count == 0 || i < dense_lead(shape, layers);
    layer.feed_forward = is_dense ? numbers.at_layer("n_ff", i) : 0;
    shape.layers.push_back(layer);
  }
  set_state(shape,
            {numbers.count("ssm_d_conv"), numbers.count("ssm_d_inner"), numbers.count("ssm_d_state"),
             numbers.count("ssm_n_group")},
            heads_width(shape));
  return shape;
}

double elements_of(const ModelShape& shape) {
  const auto weights = weights_of(shape, {"f32", std::nullopt, std::nullopt});
  return weights ? static_cast<double>(weights->in_file()) / sizeof(float) : 0;
}

/// The width of an expert, where it is not told, is what the number of parameters leaves for it.
void complete_experts(ModelShape& shape, std::optional<double> parameters) {
  auto& experts = shape.experts;
  if (experts.count == 0 || experts.feed_forward > 0 || !parameters) return;
  const double without = elements_of(shape);
  experts.feed_forward = 1;
  const double each = elements_of(shape) - without;
  experts.feed_forward = each > 0 && *parameters > without ? saturated(std::round((*parameters - without) / each)) : 0;
}

}  // namespace

Result<Model> parse_hparams(std::string_view json) {
  const auto document = parse_json(json);
  if (!document.is_object()) return fail(ErrorCode::ParseFailed, "this is not a JSON object");
  const auto& inner =
      document.contains("hparams") && document.at("hparams").is_object() ? document.at("hparams") : document;
  JsonNumbers numbers(inner);
  auto shape = read_shape(document, numbers);
  if (!numbers.error().empty()) return fail(ErrorCode::ParseFailed, numbers.error());
  complete_experts(shape, parameters(text_at(document, "model_params")));
  auto weights = weights_of(shape, {text_at(document, "file_type"), file_bytes(text_at(document, "model_size")),
                                    parameters(text_at(document, "model_params"))});
  if (!weights) return fail(std::move(weights.error()));
  auto tensors = tensors_of(shape, *weights, text_at(document, "file_type"));
  return Model{std::move(shape), *std::move(weights), std::move(tensors)};
}

Result<Model> load_hparams(const std::filesystem::path& file) {
  const auto text = read_json_file(file);
  auto model = text ? parse_hparams(*text) : fail(text.error());
  if (!model) return fail(std::move(model.error()).with_context(file.string()));
  return model;
}

}  // namespace dualgpuopt::memory
