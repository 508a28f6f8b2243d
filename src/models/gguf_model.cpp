
#include <cmath>
#include <set>
#include <utility>

#include "core/format.h"
#include "dualgpuopt/memory/models/model_source.h"
#include "models/architectures.h"
#include "models/shape_defaults.h"

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
    if (is_key && tensor.name.starts_with("blk."))
      layers.insert(std::stoul("0" + tensor.name.substr(4, tensor.name.find('.', 4) - 4)));
  }
  return layers;
}

}  // namespace

Result<ModelShape> shape_of(const GgufHeader& header) {
  ModelShape shape;
  shape.architecture = header.text("general.architecture").value_or("");
  if (shape.architecture.empty()) return fail(ErrorCode::ParseFailed, "the key general.architecture is missing");
  shape.name = header.text("general.name").value_or("");
  Keys keys(header, shape.architecture);
  const auto layers = keys.layers();
  shape.embedding = keys.required("embedding_length");
  shape.context = keys.count("context_length");
  shape.vocabulary = vocabulary_of(header, keys);
  shape.experts = {keys.count("expert_count"), keys.count("expert_used_count"),
                   keys.count("expert_feed_forward_length"), keys.count("expert_shared_feed_forward_length")};
  shape.latent = {keys.count("attention.kv_lora_rank"), keys.count("attention.q_lora_rank"),
                  keys.count("rope.dimension_count"), keys.count("attention.key_length_mla") == 0};
  if (shape.latent.rank == 0) shape.latent = {};
  shape.window = keys.count("attention.sliding_window");
  shape.state = {keys.count("ssm.conv_kernel"), keys.count("ssm.inner_size"), keys.count("ssm.state_size"),
                 keys.count("ssm.group_count"), keys.count("ssm.time_step_rank")};

  const auto heads = keys.by_layer("attention.head_count", layers, 0);
  const auto kv_heads = keys.by_layer("attention.head_count_kv", layers, 0);
  const auto feed_forward = keys.by_layer("feed_forward_length", layers, 0);
  const auto pattern = keys.by_layer("attention.sliding_window_pattern", layers, 0);
  const bool has_pattern = header.list(shape.architecture + ".attention.sliding_window_pattern") != nullptr;
  const auto interval = keys.count("full_attention_interval", customary_attention_interval(shape.architecture));
  const auto dense_lead = keys.count("leading_dense_block_count");
  const auto with_keys = layers_with_keys(header);
  const bool has_indexers = header.list(shape.architecture + ".attention.indexer.types") != nullptr;
  const auto indexers = keys.by_layer("attention.indexer.types", layers, 0);
  shape.unloaded_layers = std::min(keys.count("nextn_predict_layers"), layers);
  const auto without_cache =
      std::min(std::max(keys.count("attention.shared_kv_layers"), shape.unloaded_layers), layers);
  // Models that only keep a state have none.
  const bool has_heads = std::any_of(heads.begin(), heads.end(), [](std::uint64_t each) { return each > 0; });
  if (!has_heads && shape.state.elements() == 0) (void)keys.required("attention.head_count");
  for (std::uint64_t i = 0; i < layers; ++i) {
    LayerShape layer;
    layer.heads = heads[i];
    layer.kv_heads = header.metadata.contains(shape.architecture + ".attention.head_count_kv") ? kv_heads[i] : heads[i];
    const auto head_length = heads[i] == 0 ? 0 : shape.embedding / heads[i];
    layer.key_length = keys.count("attention.key_length", head_length);
    layer.value_length = keys.count("attention.value_length", head_length);
    // In files made for latent attention key_length is that of the one compressed key.
    if (shape.latent.rank > 0) {
      layer.key_length = keys.count("attention.key_length_mla", layer.key_length);
      layer.value_length = keys.count("attention.value_length_mla", layer.value_length);
      layer.kv_heads = heads[i];
    }
    layer.feed_forward = shape.experts.count > 0 && i >= dense_lead ? 0 : feed_forward[i];
    layer.cache = has_pattern && shape.window > 0 ? (pattern[i] != 0 ? LayerCache::Window : LayerCache::Full)
                                                  : customary_cache(shape.architecture, i, shape.window);
    const bool is_state = interval > 0 ? (i + 1) % interval != 0 : shape.state.elements() > 0 && !with_keys.contains(i);
    if (is_state) layer.cache = LayerCache::State;
    if (layer.cache != LayerCache::State && layer.kv_heads == 0) layer.cache = LayerCache::None;
    if (i + without_cache >= layers) layer.cache = LayerCache::None;
    layer.indexer_length = has_indexers && indexers[i] == 0 ? 0 : customary_indexer_length(shape, i);
    if (has_indexers && indexers[i] != 0) layer.indexer_length = keys.count("attention.indexer.key_length");
    const bool is_local = layer.cache == LayerCache::Window;
    if (is_local) {
      layer.key_length = keys.count("attention.key_length_swa", layer.key_length);
      layer.value_length = keys.count("attention.value_length_swa", layer.value_length);
    }
    shape.layers.push_back(layer);
  }
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
  return Model{*std::move(shape), std::move(weights), std::move(tensors), false, std::move(notes)};
}

}  // namespace dualgpuopt::memory
