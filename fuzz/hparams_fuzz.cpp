// Any text as a model's hyper-parameters: a model or an error; and whatever it says can be estimated.
#include <string_view>

#include "dualgpuopt/memory/models/fit.h"

using namespace dualgpuopt::memory;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = parse_hparams({reinterpret_cast<const char*>(data), size});
  if (!model) return 0;
  LlamaCppOptions options;
  options.cache.context = 4096;
  options.gpus = 2;
  options.flash_attention = size % 2 == 0;
  (void)llamacpp_need(*model, options);
  return 0;
}
