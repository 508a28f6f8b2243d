#include <nlohmann/json.hpp>

#include "core/format.h"
#include "dualgpuopt/memory/models/model_source.h"
#include "dualgpuopt/memory/models/safetensors.h"
#include "models/architectures.h"
#include "models/hf_layers.h"
#include "models/hf_quantisation.h"
#include "models/hf_shape.h"
#include "models/json_numbers.h"

namespace dualgpuopt::memory {
namespace {

using Json = nlohmann::json;

WeightHints hints_of(const Json& config, const Json& text) {
  WeightHints hints{told_number_format(config, text), std::nullopt, std::nullopt};
  if (hints.file_type.empty()) hints.file_type = "bf16";
  hints.small = small_layers(config, text);
  const auto family = text_at(text, "model_type");
  if (family == "falcon" || family == "mamba") hints.tied = true;  // by their classes, which files do not repeat
  for (const auto* object : {&text, &config}) {
    if (object->contains("tie_word_embeddings")) hints.tied = is_set(*object, "tie_word_embeddings");
  }
  return hints;
}

/// Of what the weights are derived from, where no safetensors tell them.
std::vector<std::string> weight_notes(const Json& config, const Json& text) {
  std::vector<std::string> notes;
  if (told_number_format(config, text).empty() && !small_layers(config, text))
    notes.emplace_back("config.json does not tell the weights' number format (dtype): 16 bits are assumed");
  const auto is_quantised = [](const Json& object) {
    return object.contains("quantization_config") && !object.at("quantization_config").is_null();
  };
  if ((is_quantised(config) || is_quantised(text)) && !small_layers(config, text))
    notes.emplace_back("the quantization_config is not known: the weights are taken for 16 bits");
  if (!text.contains("vocab_size") && !text.contains("padded_vocab_size"))
    notes.emplace_back("vocab_size is not told: embedding and output are not counted");
  for (const auto* part : {"vision_config", "audio_config"}) {
    if (config.contains(part))
      notes.push_back(format_text("the weights of \"{}\" are not counted: only the language model's are", part));
  }
  return notes;
}

/// Of the dimensions.
std::vector<std::string> shape_notes(const Json& text, const ModelShape& shape) {
  std::vector<std::string> notes;
  JsonNumbers numbers(text);
  if (auto note = HfLayers(text, numbers).note(shape.layers.size()); !note.empty()) notes.push_back(std::move(note));
  if (!is_known_architecture(shape.architecture)) notes.push_back(unknown_architecture_note(shape.architecture));
  return notes;
}

Result<Model> model_of(const Json& config) {
  if (is_set(config, "is_encoder_decoder") || has_encoder(text_at(config, "model_type")))
    return fail(ErrorCode::Unsupported, kNoEncoders);
  const auto text = text_part(config);
  JsonNumbers numbers(text);
  auto shape = shape_of(text, numbers);
  if (!numbers.error().empty()) return fail(ErrorCode::ParseFailed, numbers.error());
  shape.name = text_at(config, "_name_or_path");
  const auto hints = hints_of(config, text);
  auto weights = weights_of(shape, hints);
  if (!weights) return fail(std::move(weights.error()));
  auto tensors = tensors_of(shape, *weights, hints.file_type);
  auto notes = weight_notes(config, text);
  for (auto& note : shape_notes(text, shape)) notes.push_back(std::move(note));
  return Model{std::move(shape), *std::move(weights), std::move(tensors), hints.small.has_value(), true,
               std::move(notes)};
}

/// With the weights that the tensors have; nothing is assumed of them then.
Model with_tensors(Model model, const std::vector<SafetensorsTensor>& tensors, const Json& config) {
  const double told_by_dimensions = model.weights.parameters;
  model.weights = fitted(weights_of(tensors), model.shape.layers.size());
  if (model.weights.parameters == 0) model.weights.parameters = told_by_dimensions;
  model.tensors = tensors_of(model.shape, model.weights, "");
  model.notes = shape_notes(text_part(config), model.shape);
  return model;
}

}  // namespace

Result<Model> parse_hf_config(std::string_view json) {
  return parse_json_object(json).and_then([](const Json& config) { return model_of(config); });
}

Result<Model> load_hf_model(const std::filesystem::path& path) {
  std::error_code code;
  const bool is_folder = std::filesystem::is_directory(path, code);
  const bool is_config = path.extension() == ".json";
  const auto folder = is_folder ? path : path.parent_path();
  const auto config = is_config ? path : folder / "config.json";
  auto text = read_json_file(config);
  if (!text && text.error().code() == ErrorCode::NotFound && !is_config && std::filesystem::exists(path, code))
    return fail(ErrorCode::NotFound,
                format_text("{}: there is no such file, which tells the model's dimensions: get it from where the "
                            "weights come from",
                            config.string()));
  const auto json = text ? parse_json_object(*text) : fail(text.error());
  auto model = json ? model_of(*json) : fail(json.error());
  if (!model) return fail(std::move(model.error()).with_context(config.string()));
  if (model->shape.name.empty())
    model->shape.name = std::filesystem::absolute(folder, code).lexically_normal().filename().string();
  if (is_config) return model;
  auto tensors = read_safetensors_model(path);
  if (!tensors && is_folder && tensors.error().code() == ErrorCode::NotFound) return model;
  if (!tensors) return fail(std::move(tensors.error()));
  return with_tensors(*std::move(model), *tensors, *json);
}

}  // namespace dualgpuopt::memory
