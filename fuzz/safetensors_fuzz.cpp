// Any bytes as a safetensors file: a table or an error, in bounded memory; and whatever it says has a sum.
#include <sstream>
#include <string>

#include "models/safetensors_parser.h"

using namespace dualgpuopt::memory;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  ByteReader reader(std::make_unique<std::istringstream>(std::move(bytes)), size);
  if (const auto tensors = parse_safetensors(reader)) (void)weights_of(*tensors).in_file();
  return 0;
}
