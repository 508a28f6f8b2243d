#include "models/request_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr Bytes kLeastGpu = 1_MiB;

std::optional<double> plain_number(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

}  // namespace

std::vector<std::string> pieces(const std::string& text) {
  std::vector<std::string> pieces;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    pieces.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return pieces;
}

Result<GpuSpec> parse_gpus(const std::string& text) {
  constexpr double most = 64;
  if (const auto count = plain_number(text)) {
    if (*count >= 0 && *count <= most && *count == std::floor(*count))
      return GpuSpec{static_cast<std::size_t>(*count), {}};
    return fail(
        ErrorCode::InvalidArgument,
        format_text("gpus: \"{}\" is not a number of GPUs from 0 to {}, nor sizes such as 24GiB,16GiB", text, most));
  }
  GpuSpec spec;
  for (const auto& piece : pieces(text)) {
    const auto size = parse_bytes(piece);
    if (!size) return fail(Error(size.error()).with_context("gpus"));
    if (*size < kLeastGpu)
      return fail(ErrorCode::InvalidArgument,
                  format_text("gpus: \"{}\" is {}, which is no GPU's memory; give a unit, as in 24GiB,16GiB", piece,
                              format_bytes(*size)));
    spec.free.push_back(*size);
  }
  spec.count = spec.free.size();
  return spec;
}

std::optional<std::string> unequal_note(const GpuSpec& gpus) {
  if (gpus.free.empty()) return std::nullopt;
  const auto [least, most] = std::minmax_element(gpus.free.begin(), gpus.free.end());
  if (*least == *most) return std::nullopt;
  return format_text("the GPUs are not alike: each is counted as the smallest, {}", format_bytes(*least));
}

Result<std::vector<double>> parse_split(const std::string& text, const GpuSpec& gpus) {
  std::vector<double> shares;
  if (text.empty()) {
    for (const auto free : gpus.free) shares.push_back(static_cast<double>(free));
    return shares;
  }
  for (const auto& piece : pieces(text)) {
    const auto share = plain_number(piece);
    if (!share)
      return fail(ErrorCode::InvalidArgument,
                  format_text("split: \"{}\" is no number; expected shares such as 3,1", piece));
    shares.push_back(*share);
  }
  return shares;
}

Result<void> check_context(std::uint64_t context) {
  if (context == 0) return fail(ErrorCode::InvalidArgument, "the context must be at least one token");
  if (context <= kMostTokens) return {};
  return fail(ErrorCode::InvalidArgument,
              format_text("context: {} tokens; at most {} are expected", context, kMostTokens));
}

Result<std::uint64_t> context_of(const EstimateRequest& given, const ModelShape& shape) {
  if (given.context > 0) return given.context;
  if (shape.context > 0) return shape.context;
  return fail(ErrorCode::InvalidArgument,
              "context: the model does not tell what it was trained for; give the tokens, as in --context 8192");
}

Result<TensorType> parse_cache_type(const char* option, const std::string& text) {
  if (const auto type = tensor_type(text == "fp8" ? "i8" : text)) return *type;
  return fail(
      ErrorCode::InvalidArgument,
      format_text("{}: \"{}\" is not known; expected f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl, fp8, i8 or f32",
                  option, text));
}

Result<Model> load_model(const EstimateRequest& given) {
  if (!given.hparams.empty() && !given.model.empty())
    return fail(ErrorCode::InvalidArgument,
                format_text("give a model, {}, or hyper-parameters (hparams), not both", in_quotes(given.model)));
  if (!given.hparams.empty()) return load_hparams(given.hparams);
  if (given.model.empty()) return fail(ErrorCode::InvalidArgument, "give a model, or hyper-parameters (hparams)");
  const std::filesystem::path path(given.model);
  const bool is_hugging_face =
      std::filesystem::is_directory(path) || path.extension() == ".json" || path.extension() == ".safetensors";
  return is_hugging_face ? load_hf_model(path) : load_gguf_model(path);
}

}  // namespace dualgpuopt::memory
