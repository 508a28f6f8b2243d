#include "oom/oom_family.h"

#include <algorithm>

namespace dualgpuopt::memory {

const std::vector<OomFamily>& oom_families() {
  static const std::vector families{serving_family(), pytorch_family(), tensorflow_family(), libraries_family(),
                                    xla_family(),     metal_family(),   ggml_family(),       ollama_family(),
                                    kernel_family(),  cuda_family()};
  return families;
}

bool nothing_continues(std::string_view /*text*/, std::string_view /*line*/) { return false; }

std::optional<int> first_device(std::string_view text, std::initializer_list<std::string_view> phrases) {
  for (const auto phrase : phrases) {
    if (const auto device = device_after(text, phrase)) return device;
  }
  return std::nullopt;
}

void put(OomError& error, std::optional<Bytes> OomError::*member, const std::optional<Amount>& amount) {
  if (!amount || error.*member) return;
  error.*member = amount->bytes;
  if (amount->bytes) return;
  const auto& sizes = oom_sizes();
  const auto size = std::find_if(sizes.begin(), sizes.end(), [&](const OomSize& s) { return s.member == member; });
  if (size != sizes.end()) error.implausible.emplace_back(size->name);
}

}  // namespace dualgpuopt::memory
