
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/format.h"
#include "dualgpuopt/memory/models/model_source.h"
#include "dualgpuopt/memory/models/safetensors.h"
#include "dualgpuopt/memory/models/tensor_type.h"
#include "models/json_numbers.h"
#include "models/shape_defaults.h"

namespace dualgpuopt::memory {
namespace {

using Json = nlohmann::json;

/// transformers' "deepseek_v3" is what GGUF calls "deepseek2".
std::string architecture_of(const std::string& model_type) {
  constexpr std::array same{std::pair{"deepseek_v2", "deepseek2"}, std::pair{"deepseek_v3", "deepseek2"},
                            std::pair{"gpt_oss", "gpt-oss"},       std::pair{"gemma3_text", "gemma3"},
                            std::pair{"qwen3_moe", "qwen3moe"},    std::pair{"qwen3_next", "qwen3next"},
                            std::pair{"qwen2_moe", "qwen2moe"},    std::pair{"gpt_neox", "gptneox"},
                            std::pair{"gpt_bigcode", "starcoder"}, std::pair{"phi", "phi2"},
                            std::pair{"cohere", "command-r"},      std::pair{"glm4_moe", "glm4moe"},
                            std::pair{"llama4_text", "llama4"}};
  const auto* const found =
      std::find_if(same.begin(), same.end(), [&](const auto& names) { return names.first == model_type; });
  return found == same.end() ? model_type : found->second;
}

/// The names that transformers' families have for one dimension (`attribute_map` in their configurations), today's
/// first.
using Names = std::initializer_list<const char*>;
constexpr Names kEmbedding{"hidden_size", "n_embd", "d_model"};
constexpr Names kLayers{"num_hidden_layers", "n_layer", "n_layers", "num_layers"};
constexpr Names kHeads{"num_attention_heads", "n_head", "n_heads", "num_heads"};
constexpr Names kKvHeads{"num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num"};
constexpr Names kFeedForward{"intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"};
constexpr Names kContext{"max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"};
constexpr Names kVocabulary{"vocab_size", "padded_vocab_size"};

/// Models with eyes have the language model's dimensions in an object of their own.
const Json& text_part(const Json& config) {
  return config.contains("text_config") && config.at("text_config").is_object() ? config.at("text_config") : config;
}

std::optional<LayerCache> named_cache(const std::string& type) {
  if (type == "full_attention") return LayerCache::Full;
  if (type == "sliding_attention" || type == "chunked_attention") return LayerCache::Window;
  if (type == "linear_attention") return LayerCache::State;
  return std::nullopt;
}

LayerCache cache_of(const Json& config, const ModelShape& shape, JsonNumbers& numbers, std::uint64_t layer) {
  if (config.contains("layer_types") && config.at("layer_types").is_array() &&
      layer < config.at("layer_types").size()) {
    const auto& type = config.at("layer_types").at(layer);
    if (const auto cache = named_cache(type.is_string() ? type.get<std::string>() : "")) return *cache;
  }
  const auto interval = numbers.count("full_attention_interval", customary_attention_interval(shape.architecture));
  if (interval > 0 && (layer + 1) % interval != 0) return LayerCache::State;
  return customary_cache(shape.architecture, layer, shape.window);
}

std::uint64_t window_of(const Json& config, JsonNumbers& numbers) {
  const bool is_off = config.contains("use_sliding_window") && config.at("use_sliding_window") == Json(false);
  return is_off ? 0 : numbers.count("sliding_window");
}

ExpertShape experts_of(JsonNumbers& numbers) {
  const auto width = numbers.first_of({"moe_intermediate_size", "intermediate_size"});
  const auto count = numbers.first_of({"num_experts", "num_local_experts", "n_routed_experts"});
  if (count == 0) return {};
  const auto shared = numbers.has("n_shared_experts") ? numbers.count("n_shared_experts") * width
                                                      : numbers.count("shared_expert_intermediate_size");
  return {count, numbers.first_of({"num_experts_per_tok", "experts_per_token"}), width, shared};
}

/// Families from before grouped queries have one head of keys for all (falcon with its first architecture, starcoder),
/// or one for each.
std::uint64_t kv_heads_of(const Json& config, JsonNumbers& numbers, std::uint64_t heads) {
  const bool is_new =
      config.contains("new_decoder_architecture") && config.at("new_decoder_architecture") == Json(true);
  const bool is_single = config.contains("multi_query") && config.at("multi_query") == Json(true) && !is_new;
  return is_single ? 1 : numbers.first_of(kKvHeads, heads);
}

LayerShape layer_of(const Json& config, const ModelShape& shape, JsonNumbers& numbers, std::uint64_t i) {
  LayerShape layer;
  layer.cache = cache_of(config, shape, numbers, i);
  layer.heads = numbers.required(kHeads);
  layer.kv_heads = kv_heads_of(config, numbers, layer.heads);
  const auto head_length = layer.heads == 0 ? 0 : shape.embedding / layer.heads;
  layer.key_length = layer.value_length = numbers.first_of({"head_dim", "kv_channels"}, head_length);
  if (shape.latent.rank > 0) {
    layer.key_length = numbers.count("qk_nope_head_dim") + shape.latent.rope;
    layer.value_length = numbers.count("v_head_dim", layer.key_length);
    layer.kv_heads = layer.heads;
  }
  const bool is_dense = shape.experts.count == 0 || i < numbers.count("first_k_dense_replace");
  constexpr std::uint64_t customary_width = 4;  // where a family has no key for it, or leaves it empty
  layer.feed_forward = is_dense ? numbers.first_of(kFeedForward, customary_width * shape.embedding) : 0;
  return layer;
}

StateShape state_of(JsonNumbers& numbers) {
  const auto inner = numbers.count("linear_num_value_heads") * numbers.count("linear_value_head_dim");
  return {numbers.count("linear_conv_kernel_dim"), inner, numbers.count("linear_key_head_dim"),
          numbers.count("linear_num_key_heads")};
}

ModelShape read_shape(const Json& config, JsonNumbers& numbers) {
  constexpr std::uint64_t most_layers = 4096;
  ModelShape shape;
  shape.architecture = architecture_of(text_at(config, "model_type"));
  shape.embedding = numbers.required(kEmbedding);
  shape.vocabulary = numbers.first_of(kVocabulary);
  shape.context = numbers.first_of(kContext);
  shape.window = window_of(config, numbers);
  shape.experts = experts_of(numbers);
  if (numbers.count("kv_lora_rank") > 0)
    shape.latent = {numbers.count("kv_lora_rank"), numbers.count("q_lora_rank"), numbers.count("qk_rope_head_dim")};
  set_state(shape, state_of(numbers));
  const auto layers = std::min(numbers.required(kLayers), most_layers);
  for (std::uint64_t i = 0; i < layers; ++i) shape.layers.push_back(layer_of(config, shape, numbers, i));
  return shape;
}

const Json& object_at(const Json& parent, const char* key) {
  static const Json kNone = Json::object();
  return parent.is_object() && parent.contains(key) && parent.at(key).is_object() ? parent.at(key) : kNone;
}

double number_at(const Json& object, const char* key, double otherwise) {
  return object.contains(key) && object.at(key).is_number() ? object.at(key).get<double>() : otherwise;
}

/// Whole bytes of the weights, and for each group a scale of two bytes and a zero of the weights' own bits (AWQ, GPTQ).
SmallLayers in_groups(double bits, double group) {
  constexpr double per_byte = 8;
  constexpr double scale = 2;
  const double bytes = bits / per_byte;
  return {group > 0 ? bytes + (scale + bytes) / group : bytes};
}

/// "config_groups" of compressed-tensors name the bits of each group of layers; the published models have one group.
std::optional<SmallLayers> compressed(const Json& quantisation) {
  for (const auto& group : object_at(quantisation, "config_groups")) {
    const auto& weights = object_at(group, "weights");
    const double bits = number_at(weights, "num_bits", 0);
    if (bits > 0 && bits <= 16) return in_groups(bits, std::max(number_at(weights, "group_size", 0), 0.0));
  }
  return std::nullopt;
}

/// What a "quantization_config" makes smaller.
std::optional<SmallLayers> small_layers(const Json& quantisation) {
  constexpr double usual_group = 128;
  const auto method = text_at(quantisation, "quant_method");
  const auto algorithm = text_at(quantisation, "quant_algo");
  if (method == "mxfp4") return SmallLayers{tensor_type("mxfp4")->bytes_per_element(), true};
  if (method == "fp8" || algorithm == "FP8") return SmallLayers{1};
  if (algorithm == "NVFP4") return SmallLayers{tensor_type("nvfp4")->bytes_per_element()};
  if (quantisation.contains("load_in_4bit") && quantisation.at("load_in_4bit") == Json(true)) {
    constexpr double scale_of_64 = 1;  // One byte, which is quantised itself.
    return SmallLayers{0.5 + scale_of_64 / 64};
  }
  const double bits = number_at(quantisation, "bits", 0);
  if (bits > 0 && bits <= 16) return in_groups(bits, std::max(number_at(quantisation, "group_size", usual_group), 0.0));
  return compressed(quantisation);
}

/// Of weights that are not quantised.
std::string file_type_of(const Json& config, const Json& text) {
  for (const auto* object : {&text, &config}) {
    for (const auto* key : {"dtype", "torch_dtype"}) {
      if (text_at(*object, key) == "float32") return "f32";
    }
  }
  return "bf16";
}

}  // namespace

Result<Model> parse_hf_config(std::string_view json) {
  const auto config = parse_json(json);
  if (!config.is_object()) return fail(ErrorCode::ParseFailed, "this is not a JSON object");
  const auto& text = text_part(config);
  JsonNumbers numbers(text);
  auto shape = read_shape(text, numbers);
  if (!numbers.error().empty()) return fail(ErrorCode::ParseFailed, numbers.error());
  shape.name = text_at(config, "_name_or_path");
  WeightHints hints{file_type_of(config, text), std::nullopt, std::nullopt};
  hints.small = small_layers(object_at(config, "quantization_config"));
  for (const auto* object : {&text, &config}) {
    if (object->contains("tie_word_embeddings")) hints.tied = object->at("tie_word_embeddings") == Json(true);
  }
  auto weights = weights_of(shape, hints);
  if (!weights) return fail(std::move(weights.error()));
  auto tensors = tensors_of(shape, *weights, hints.file_type);
  return Model{std::move(shape), *std::move(weights), std::move(tensors)};
}

Result<Model> load_hf_model(const std::filesystem::path& path) {
  std::error_code code;
  const bool is_folder = std::filesystem::is_directory(path, code);
  const bool is_config = path.extension() == ".json";
  const auto folder = is_folder ? path : path.parent_path();
  const auto config = is_config ? path : folder / "config.json";
  auto text = read_json_file(config);
  auto model = text ? parse_hf_config(*text) : fail(text.error());
  if (!model) return fail(std::move(model.error()).with_context(config.string()));
  if (model->shape.name.empty())
    model->shape.name = std::filesystem::absolute(folder, code).lexically_normal().filename().string();
  if (is_config) return model;
  auto tensors = read_safetensors_model(path);
  if (!tensors && is_folder && tensors.error().code() == ErrorCode::NotFound) return model;
  if (!tensors) return fail(std::move(tensors.error()));
  const double told_by_dimensions = model->weights.parameters;
  model->weights = fitted(weights_of(*tensors), model->shape.layers.size());
  if (model->weights.parameters == 0) model->weights.parameters = told_by_dimensions;
  model->tensors = tensors_of(model->shape, model->weights, "");
  return model;
}

}  // namespace dualgpuopt::memory
