#include "dualgpuopt/memory/models/tensor_override.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/format.h"
#include "dualgpuopt/memory/models/model_source.h"
#include "models/name_pattern.h"
#include "models/request_text.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::size_t kLongestName = 128;
constexpr std::size_t kMostPatterns = 1024;

struct Override {
  NamePattern pattern;
  std::optional<std::size_t> gpu;
};

tl::unexpected<Error> refusal(std::string_view part, const std::string& why) {
  return fail(ErrorCode::InvalidArgument, format_text("override_tensor: {}: {}", in_quotes(part), why));
}

/// The number of "CUDA1"; empty for what is no GPU's name.
std::optional<std::size_t> gpu_number(std::string_view device) {
  for (const std::string_view backend : {"CUDA", "ROCm", "Vulkan", "SYCL"}) {
    if (!device.starts_with(backend)) continue;
    std::size_t number = 0;
    const auto* const last = device.data() + device.size();
    const auto [end, error] = std::from_chars(device.data() + backend.size(), last, number);
    if (error == std::errc() && end == last) return number;
  }
  return std::nullopt;
}

Result<std::optional<std::size_t>> parse_device(std::string_view part, std::string_view device, std::size_t gpus) {
  if (device == "CPU") return std::nullopt;
  const auto gpu = gpu_number(device);
  if (!gpu) return refusal(part, format_text("the device is {}; expected CPU, CUDA0, CUDA1, …", in_quotes(device)));
  if (*gpu < gpus) return gpu;
  return refusal(part, format_text("there is no {} where there are {} GPUs", device, gpus));
}

Result<Override> parse_override(const std::string& part, std::size_t gpus) {
  const auto sign = part.find('=');
  if (sign == std::string::npos)
    return refusal(part, "expected PATTERN=DEVICE, as in exps=CPU; a pattern has no comma in it");
  const auto device = parse_device(part, std::string_view(part).substr(sign + 1), gpus);
  if (!device) return fail(device.error());
  auto pattern = NamePattern::parse(part.substr(0, sign));
  if (!pattern) return refusal(part, pattern.error().describe());
  return Override{*std::move(pattern), *device};
}

Result<std::vector<Override>> parse_overrides(const std::vector<std::string>& texts, std::size_t gpus) {
  std::vector<Override> overrides;
  for (const auto& text : texts) {
    for (const auto& part : pieces(text)) {
      auto parsed = parse_override(part, gpus);
      if (!parsed) return fail(std::move(parsed.error()));
      if (overrides.size() == kMostPatterns)
        return fail(ErrorCode::InvalidArgument, format_text("override_tensor: more than {} patterns", kMostPatterns));
      overrides.push_back(*std::move(parsed));
    }
  }
  return overrides;
}

/// Layers for guessing ahead are not loaded.
bool is_loaded(const Model& model, const ModelTensor& tensor) {
  return !tensor.layer || *tensor.layer + model.shape.unloaded_layers < model.shape.layers.size();
}

}  // namespace

Result<std::vector<TensorPlace>> place_tensors(const Model& model, const std::vector<std::string>& texts,
                                               std::size_t gpus) {
  const auto overrides = parse_overrides(texts, gpus);
  if (!overrides) return fail(overrides.error());
  std::vector<TensorPlace> places;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const auto& name = model.tensors[i].name;
    if (name.size() > kLongestName || !is_loaded(model, model.tensors[i])) continue;
    const auto found = std::find_if(overrides->begin(), overrides->end(),
                                    [&](const Override& given) { return given.pattern.is_found_in(name); });
    if (found != overrides->end()) places.push_back({i, found->gpu});
  }
  return places;
}

}  // namespace dualgpuopt::memory
