// Any bytes as a GGUF file: a header or an error, in bounded memory; and whatever it says can be estimated.
#include <sstream>
#include <string>

#include "dualgpuopt/memory/models/fit.h"
#include "models/gguf_parser.h"

using namespace dualgpuopt::memory;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  ByteReader reader(std::make_unique<std::istringstream>(std::move(bytes)), size);
  const auto header = parse_gguf(reader, {});
  if (!header) return 0;
  const auto shape = shape_of(*header);
  if (!shape) return 0;
  auto weights = weights_of(*header);
  weights.layers.resize(shape->layers.size());
  weights.experts.resize(shape->layers.size());
  LlamaCppOptions options;
  options.cache.context = 4096;
  options.gpus = 2;
  (void)llamacpp_need({*shape, weights}, options);
  return 0;
}
