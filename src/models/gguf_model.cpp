
#include <cmath>
#include <set>
#include <utility>

#include "core/format.h"
#include "dualgpuopt/memory/models/model_source.h"
#include "models/architectures.h"
#include "models/shape_defaults.h"
#include "models/tensor_name.h"

namespace dualgpuopt::memory {
namespace {

/// Reads the keys of one architecture; the first key that is wrong is what is reported.
class Keys {
 public:
  Keys(const GgufHeader& header, std::string architecture) : header_(header), prefix_(std::move(architecture) + ".") {}

  [[nodiscard]] std::uint64_t count(std::string_view key, std::uint64_t otherwise = 0) {
    const auto number = header_.number(prefix_ + std::string(key));
    return number ? checked(key, *number) : otherwise;
  }
  [[nodiscard]] std::uint64_t required(std::string_view key) {
    const auto value = count(key);
    if (value > 0) return value;
    const bool is_there = header_.metadata.contains(prefix_ + std::string(key));
    refuse(key, is_there ? "is no number of at least 1" : "is missing");
    return 0;
  }
  [[nodiscard]] std::uint64_t layers() {
    constexpr std::uint64_t most = 4096;
    const auto count = required("block_count");
    if (count <= most) return count;
    refuse("block_count", format_text("is {}: expected at most {}", count, most));
    return 0;
  }
  /// One number for all layers, or a list with one for each.
  [[nodiscard]] std::vector<std::uint64_t> by_layer(std::string_view key, std::uint64_t layers,
                                                    std::uint64_t otherwise) {
    const auto* list = header_.list(prefix_ + std::string(key));
    if (list == nullptr) return std::vector(layers, count(key, otherwise));
    if (list->numbers.size() < layers)
      refuse(key, format_text("has {} numbers for {} layers", list->numbers.size(), layers));
    std::vector<std::uint64_t> values(layers, otherwise);
    for (std::size_t i = 0; i < std::min<std::size_t>(layers, list->numbers.size()); ++i)
      values[i] = checked(key, list->numbers[i]);
    return values;
  }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  std::uint64_t checked(std::string_view key, double value) {
    constexpr double most = 1e12;
    if (value >= 0 && value <= most && value == std::floor(value)) return static_cast<std::uint64_t>(value);
    refuse(key, format_text("is {}: expected a whole number that is not negative", value));
    return 0;
  }
  void refuse(std::string_view key, std::string_view why) {
    if (error_.empty()) error_ = format_text("the key {}{} {}", prefix_, key, why);
  }

  const GgufHeader& header_;
  std::string prefix_;
  std::string error_;
};

std::uint64_t vocabulary_of(const GgufHeader& header, Keys& keys) {
  if (const auto told = keys.count("vocab_size"); told > 0) return told;
  if (const auto* tokens = header.list("tokenizer.ggml.tokens")) return tokens->length;
  for (const auto& tensor : header.tensors) {
    if (tensor.name == "token_embd.weight") return tensor.shape[1];
  }
  return 0;
}

/// Layers that have a cache of their own are those with keys: hybrids have none in the others.
std::set<std::uint64_t> layers_with_keys(const GgufHeader& header) {
  std::set<std::uint64_t> layers;
  for (const auto& tensor : header.tensors) {
    const auto is_key = tensor.name.ends_with(".attn_k.weight") || tensor.name.ends_with(".attn_qkv.weight") ||
                        tensor.name.ends_with(".attn_kv_a_mqa.weight");
    if (!is_key) continue;
    if (const auto layer = layer_in_name(tensor.name)) layers.insert(*layer);
  }
  return layers;
}

/// What the keys say of single layers.
class Layers {
 public:
  Layers(const GgufHeader& header, Keys& keys, const ModelShape& shape, std::uint64_t count)
      : keys_(keys),
        count_(count),
        heads_(keys.by_layer("attention.head_count", count, 0)),
        kv_heads_(keys.by_layer("attention.head_count_kv", count, 0)),
        feed_forward_(keys.by_layer("feed_forward_length", count, 0)),
        pattern_(keys.by_layer("attention.sliding_window_pattern", count, 0)),
        indexers_(keys.by_layer("attention.indexer.types", count, 0)),
        interval_(keys.count("full_attention_interval", customary_attention_interval(shape.architecture))),
        dense_lead_(keys.count("leading_dense_block_count")),
        without_cache_(std::min(std::max(keys.count("attention.shared_kv_layers"), shape.unloaded_layers), count)),
        tells_kv_heads_(header.metadata.contains(shape.architecture + ".attention.head_count_kv")),
        has_pattern_(header.list(shape.architecture + ".attention.sliding_window_pattern") != nullptr),
        has_indexers_(header.list(shape.architecture + ".attention.indexer.types") != nullptr),
        with_keys_(layers_with_keys(header)) {}

  /// Models that only keep a state have none.
  [[nodiscard]] bool have_heads() const {
    return std::any_of(heads_.begin(), heads_.end(), [](std::uint64_t each) { return each > 0; });
  }

  [[nodiscard]] LayerShape layer(const ModelShape& shape, std::uint64_t i) {
    LayerShape layer;
    set_heads(layer, shape, i);
    const bool has_part = !has_layers_of_one_part(shape.architecture) || feed_forward_[i] > 0;
    layer.has_experts = has_part && shape.experts.count > 0 && i >= dense_lead_;
    layer.feed_forward = layer.has_experts ? 0 : feed_forward_[i];
    layer.cache = cache(layer, shape, i);
    layer.indexer_length = indexer_length(shape, i);
    if (layer.cache == LayerCache::Window) {
      layer.key_length = keys_.count("attention.key_length_swa", layer.key_length);
      layer.value_length = keys_.count("attention.value_length_swa", layer.value_length);
    }
    return layer;
  }

 private:
  void set_heads(LayerShape& layer, const ModelShape& shape, std::uint64_t i) {
    layer.heads = heads_[i];
    layer.kv_heads = tells_kv_heads_ ? kv_heads_[i] : heads_[i];
    const auto head_length = heads_[i] == 0 ? 0 : shape.embedding / heads_[i];
    layer.key_length = keys_.count("attention.key_length", head_length);
    layer.value_length = keys_.count("attention.value_length", head_length);
    if (shape.latent.rank == 0) return;
    // In files made for latent attention key_length is that of the one compressed key.
    layer.key_length = keys_.count("attention.key_length_mla", layer.key_length);
    layer.value_length = keys_.count("attention.value_length_mla", layer.value_length);
    layer.kv_heads = heads_[i];
  }

  [[nodiscard]] LayerCache cache(const LayerShape& layer, const ModelShape& shape, std::uint64_t i) const {
    if (i + without_cache_ >= count_) return LayerCache::None;
    if (has_state(shape, i)) return LayerCache::State;
    if (layer.kv_heads == 0) return LayerCache::None;
    if (!has_pattern_ || shape.window == 0) return customary_cache(shape.architecture, i, shape.window);
    return pattern_[i] != 0 ? LayerCache::Window : LayerCache::Full;
  }

  [[nodiscard]] bool has_state(const ModelShape& shape, std::uint64_t i) const {
    if (interval_ > 0) return (i + 1) % interval_ != 0;
    if (has_layers_of_one_part(shape.architecture) && feed_forward_[i] > 0) return false;
    return shape.state.elements() > 0 && !with_keys_.contains(i);
  }

  [[nodiscard]] std::uint64_t indexer_length(const ModelShape& shape, std::uint64_t i) {
    if (!has_indexers_) return customary_indexer_length(shape, i);
    return indexers_[i] == 0 ? 0 : keys_.count("attention.indexer.key_length");
  }

  Keys& keys_;
  std::uint64_t count_;
  std::vector<std::uint64_t> heads_, kv_heads_, feed_forward_, pattern_, indexers_;
  std::uint64_t interval_, dense_lead_, without_cache_;
  bool tells_kv_heads_, has_pattern_, has_indexers_;
  std::set<std::uint64_t> with_keys_;
};

LatentShape latent_of(Keys& keys) {
  const auto rank = keys.count("attention.kv_lora_rank");
  if (rank == 0) return {};
  return {rank, keys.count("attention.q_lora_rank"), keys.count("rope.dimension_count"),
          keys.count("attention.key_length_mla") == 0};
}

}  // namespace

Result<ModelShape> shape_of(const GgufHeader& header) {
  ModelShape shape;
  shape.architecture = header.text("general.architecture").value_or("");
  if (shape.architecture.empty()) return fail(ErrorCode::ParseFailed, "the key general.architecture is missing");
  if (has_encoder(shape.architecture)) return fail(ErrorCode::Unsupported, kNoEncoders);
  shape.name = header.text("general.name").value_or("");
  Keys keys(header, shape.architecture);
  const auto count = keys.layers();
  shape.embedding = keys.required("embedding_length");
  shape.context = keys.count("context_length");
  shape.vocabulary = vocabulary_of(header, keys);
  shape.experts = {keys.count("expert_count"), keys.count("expert_used_count"),
                   keys.count("expert_feed_forward_length"), keys.count("expert_shared_feed_forward_length")};
  shape.latent = latent_of(keys);
  shape.window = keys.count("attention.sliding_window");
  shape.state = {keys.count("ssm.conv_kernel"), keys.count("ssm.inner_size"), keys.count("ssm.state_size"),
                 keys.count("ssm.group_count"), keys.count("ssm.time_step_rank")};
  shape.unloaded_layers = std::min(keys.count("nextn_predict_layers"), count);
  Layers layers(header, keys, shape, count);
  if (!layers.have_heads() && shape.state.elements() == 0) (void)keys.required("attention.head_count");
  for (std::uint64_t i = 0; i < count && keys.error().empty(); ++i) shape.layers.push_back(layers.layer(shape, i));
  if (!keys.error().empty()) return fail(ErrorCode::ParseFailed, keys.error());
  return shape;
}

Result<Model> load_gguf_model(const std::filesystem::path& file) {
  const auto header = read_gguf_model(file);
  if (!header) return fail(header.error());
  auto shape = shape_of(*header);
  if (!shape) return fail(std::move(shape.error()).with_context(file.string()));
  auto weights = fitted(weights_of(*header), shape->layers.size());
  auto tensors = tensors_of(*header, shape->layers.size());
  std::vector<std::string> notes;
  if (header->missing > 0)
    notes.push_back(format_text("the file is cut off: {} of its weights are missing; they are counted all the same",
                                format_bytes(header->missing)));
  if (!is_known_architecture(shape->architecture)) notes.push_back(unknown_architecture_note(shape->architecture));
  return Model{*std::move(shape), std::move(weights), std::move(tensors), false, false, std::move(notes)};
}

}  // namespace dualgpuopt::memory
