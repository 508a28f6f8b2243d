// Any text as a model's config.json: a model or an error; and whatever it says can be estimated for every runtime.
#include <string_view>

#include "dualgpuopt/memory/models/estimate.h"

using namespace dualgpuopt::memory;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = parse_hf_config({reinterpret_cast<const char*>(data), size});
  if (!model) return 0;
  const bool is_odd = size % 2 == 1;

  TransformersOptions transformers;
  transformers.context = 4096;
  transformers.gpus = 2;
  transformers.flash_attention = is_odd;
  (void)transformers_need(*model, transformers);

  TrainingOptions training;
  training.context = 4096;
  training.checkpointing = is_odd;
  training.lora_rank = is_odd ? 8 : 0;
  training.sharding = is_odd ? Sharding::None : Sharding::Full;
  (void)training_need(*model, training);

  VllmOptions vllm;
  vllm.total = 24_GiB;
  vllm.context = 4096;
  vllm.parallel = 2;
  (void)vllm_need(*model, vllm);
  return 0;
}
