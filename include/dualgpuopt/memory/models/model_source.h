// Where a model's shape and weights come from.
#pragma once

#include <filesystem>
#include <string_view>

#include "dualgpuopt/memory/models/model_tensors.h"

namespace dualgpuopt::memory {

/// A model, as far as it can be known without reading its weights.
struct Model {
  ModelShape shape;
  ModelWeights weights;
  std::vector<ModelTensor> tensors = {};  ///< By name; `weights` are their sums. Empty where nobody asked for names.
  bool is_quantised_for_torch = false;    ///< By a "quantization_config", in a format that llama.cpp does not have.
  bool is_of_config = false;              ///< Its dimensions are of a config.json.
  std::vector<std::string> notes = {};    ///< What was assumed because the source does not tell it, or is not known.
};

/// The shape that a GGUF header tells (the keys of docs/gguf.md, "[llm]"). Error: ParseFailed, naming the key that is
/// missing or makes no sense.
[[nodiscard]] Result<ModelShape> shape_of(const GgufHeader& header);

/// A GGUF file, or all parts of a split one.
[[nodiscard]] Result<Model> load_gguf_model(const std::filesystem::path& file);

/// A Hugging Face config.json: dimensions as transformers names them, also within "text_config". The weights are an
/// estimate in the model's own number format (bfloat16 if none is told). Error: ParseFailed, naming the key.
[[nodiscard]] Result<Model> parse_hf_config(std::string_view json);

/// A folder with config.json and perhaps *.safetensors, one *.safetensors with its config.json beside it, or a
/// config.json alone. The weights are exact where there are safetensors. Errors name the file.
[[nodiscard]] Result<Model> load_hf_model(const std::filesystem::path& path);

/// A JSON object of hyper-parameters by the names that llama.cpp's log prints: n_layer, n_embd, n_head, n_head_kv,
/// n_embd_head_k, n_embd_head_v, n_ff, n_vocab, and where they apply n_swa, n_expert, n_expert_used, n_ff_exp,
/// n_ff_shexp, n_expert_shared, n_layer_dense_lead, n_layer_nextn, n_layer_kv_from_start, n_embd_head_k_mla,
/// n_embd_head_v_mla, n_embd_head_k_swa, n_embd_head_v_swa, n_lora_kv, n_lora_q, n_rot, ssm_d_state, ssm_d_inner,
/// ssm_d_conv, full_attention_interval; n_head, n_head_kv and n_ff may be lists with one number for each layer. They
/// may lie in an object "hparams" beside "arch", "model", "file_type", "model_size" ("4.58 GiB (4.89 BPW)") and
/// "model_params" ("8.03 B"). Error: ParseFailed, naming the key.
[[nodiscard]] Result<Model> parse_hparams(std::string_view json);

/// parse_hparams of a file of at most 16 MiB; errors carry its name.
[[nodiscard]] Result<Model> load_hparams(const std::filesystem::path& file);

}  // namespace dualgpuopt::memory
