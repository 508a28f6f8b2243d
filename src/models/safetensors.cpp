#include "dualgpuopt/memory/models/safetensors.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/format.h"
#include "models/json_numbers.h"
#include "models/safetensors_parser.h"
#include "models/saturated.h"

namespace dualgpuopt::memory {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLongestHeader = 16U << 20;
constexpr std::size_t kMostLayers = 4096;
constexpr std::string_view kIndex = "model.safetensors.index.json";

/// The bytes between two offsets that lie within the data; empty where they do not.
std::optional<Bytes> size_of(const Json& entry, std::uint64_t data) {
  if (!entry.is_object() || !entry.contains("data_offsets")) return std::nullopt;
  const auto& offsets = entry.at("data_offsets");
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned())
    return std::nullopt;
  const auto begin = offsets[0].get<std::uint64_t>();
  const auto end = offsets[1].get<std::uint64_t>();
  return begin <= end && end <= data ? std::optional(end - begin) : std::nullopt;
}

/// How many elements its shape has, at most so many as `saturated` gives; empty where it is no list of whole numbers.
std::optional<std::uint64_t> elements_of(const Json& entry) {
  if (!entry.contains("shape") || !entry.at("shape").is_array()) return std::nullopt;
  double elements = 1;
  for (const auto& length : entry.at("shape")) {
    if (!length.is_number_unsigned()) return std::nullopt;
    elements *= static_cast<double>(length.get<std::uint64_t>());
  }
  return saturated(elements);
}

std::string type_of(const Json& entry) {
  return entry.contains("dtype") && entry.at("dtype").is_string() ? entry.at("dtype").get<std::string>() : "";
}

/// Bytes of a number; 0 for types that quantised weights are packed into.
double number_size(std::string_view type) {
  if (type == "F64") return 8;
  if (type == "F32") return 4;
  if (type == "F16" || type == "BF16") return 2;
  return type.starts_with("F8") ? 1 : 0;
}

Result<std::vector<SafetensorsTensor>> parse_table(const std::string& text, std::uint64_t data) {
  const auto table = parse_json_object(text);
  if (!table)
    return fail(ErrorCode::ParseFailed,
                format_text("its header is no table, so this is no safetensors file: {}", table.error().message()));
  std::vector<SafetensorsTensor> tensors;
  for (const auto& [name, entry] : table->items()) {
    if (name == "__metadata__") continue;
    const auto size = size_of(entry, data);
    if (!size)
      return fail(ErrorCode::ParseFailed,
                  format_text("tensor {} has no offsets that lie within the file's {} bytes of data", name, data));
    const auto elements = elements_of(entry);
    if (!elements) return fail(ErrorCode::ParseFailed, format_text("tensor {} has no shape of whole numbers", name));
    auto type = type_of(entry);
    const double wanted = number_size(type) * static_cast<double>(*elements);
    if (number_size(type) > 0 && wanted != static_cast<double>(*size)) {
      return fail(
          ErrorCode::ParseFailed,
          format_text("tensor {} has {} elements of {}, which are {:.0f} bytes, and its offsets are {} bytes apart",
                      name, *elements, type, wanted, *size));
    }
    tensors.push_back({name, std::move(type), *size});
  }
  return tensors;
}

/// "model.layers.7.mlp.x" and "transformer.h.7.x" lie in layer 7.
std::optional<std::size_t> layer_of(std::string_view name) {
  for (const std::string_view word : {"layers.", "h.", "blocks."}) {
    const auto at = name.find(word);
    if (at == std::string_view::npos || (at > 0 && name[at - 1] != '.')) continue;
    std::size_t layer = 0;
    const auto* const begin = name.data() + at + word.size();
    const auto [end, error] = std::from_chars(begin, name.data() + name.size(), layer);
    if (error == std::errc() && end != name.data() + name.size() && *end == '.' && layer < kMostLayers) return layer;
  }
  return std::nullopt;
}

bool is_embedding(std::string_view name) {
  return name.find("embed_tokens.") != std::string_view::npos || name.ends_with("wte.weight") ||
         name.ends_with("word_embeddings.weight");
}

double parameters_of(const std::vector<SafetensorsTensor>& tensors) {
  double parameters = 0;
  for (const auto& tensor : tensors) {
    const double size = number_size(tensor.type);
    if (size == 0) return 0;
    parameters += static_cast<double>(tensor.bytes) / size;
  }
  return parameters;
}

/// Whether all files are there that the index of a split model names.
Result<void> check_index(const std::filesystem::path& folder) {
  const auto path = folder / kIndex;
  std::error_code code;
  if (!std::filesystem::exists(path, code)) return {};
  const auto text = read_json_file(path);
  if (!text) return fail(text.error());
  const auto index = parse_json_object(*text);
  if (!index) return fail(Error(index.error()).with_context(path.string()));
  if (!index->contains("weight_map") || !index->at("weight_map").is_object()) {
    return fail(ErrorCode::ParseFailed, format_text("{}: it has no object \"weight_map\"", path.string()));
  }
  for (const auto& [tensor, part] : index->at("weight_map").items()) {
    if (part.is_string() && std::filesystem::exists(folder / part.get<std::string>(), code)) continue;
    return fail(ErrorCode::NotFound,
                format_text("{}: {}, which has tensor {} by the model's index, is not there: download the rest of it",
                            folder.string(), part.dump(), tensor));
  }
  return {};
}

}  // namespace

Result<std::vector<SafetensorsTensor>> parse_safetensors(ByteReader& bytes) {
  const auto length = bytes.number<std::uint64_t>("the header's length");
  const auto text = bytes.text(length, kLongestHeader, "the header");
  if (bytes.failed()) return fail(ErrorCode::ParseFailed, bytes.failure());
  return parse_table(text, bytes.left());
}

Result<std::vector<SafetensorsTensor>> read_safetensors(const std::filesystem::path& file) {
  auto bytes = ByteReader::open(file);
  auto tensors = bytes ? parse_safetensors(*bytes) : fail(bytes.error());
  if (!tensors) return fail(std::move(tensors.error()).with_context(file.string()));
  return tensors;
}

Result<std::vector<SafetensorsTensor>> read_safetensors_model(const std::filesystem::path& path) {
  std::error_code code;
  if (!std::filesystem::is_directory(path, code)) return read_safetensors(path);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path, code)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  if (files.empty()) return fail(ErrorCode::NotFound, path.string() + ": there is no *.safetensors in this folder");
  if (auto whole = check_index(path); !whole) return fail(std::move(whole.error()));
  std::sort(files.begin(), files.end());
  std::vector<SafetensorsTensor> all;
  for (const auto& file : files) {
    auto tensors = read_safetensors(file);
    if (!tensors) return tensors;
    std::move(tensors->begin(), tensors->end(), std::back_inserter(all));
  }
  return all;
}

ModelWeights weights_of(const std::vector<SafetensorsTensor>& tensors) {
  ModelWeights weights;
  bool has_output = false;
  for (const auto& tensor : tensors) {
    if (const auto layer = layer_of(tensor.name)) {
      if (*layer >= weights.layers.size()) {
        weights.layers.resize(*layer + 1);
        weights.experts.resize(*layer + 1);
      }
      weights.layers[*layer] += tensor.bytes;
      if (tensor.name.find(".experts.") != std::string::npos) weights.experts[*layer] += tensor.bytes;
    } else if (is_embedding(tensor.name)) {
      weights.input += tensor.bytes;
    } else if (tensor.name.find("embed_tokens_per_layer.") != std::string::npos) {
      weights.layer_input += tensor.bytes;
    } else {
      has_output = has_output || tensor.name.find("lm_head.") != std::string::npos;
      weights.output += tensor.bytes;
    }
  }
  weights.parameters = parameters_of(tensors);
  weights.tied = !has_output && weights.input > 0;
  if (weights.tied) weights.output += weights.input;
  return weights;
}

}  // namespace dualgpuopt::memory
