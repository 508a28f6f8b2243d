#include "models/runtime_options.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

using Request = EstimateRequest;

struct RuntimeOption {
  std::string_view name;
  std::string_view runtimes;  ///< With commas between.
  bool (*is_given)(const Request& request);
};

/// Whether a field has another value than that of a request of nothing.
template <auto Field>
bool is_given(const Request& request) {
  return request.*Field != Request{}.*Field;
}

constexpr std::string_view kLlamaCpp = "llama.cpp";
constexpr std::string_view kTraining = "training";
constexpr std::string_view kTorch = "transformers, training";

constexpr std::array kOptions{
    RuntimeOption{"ubatch", kLlamaCpp, is_given<&Request::micro_batch>},
    RuntimeOption{"split_mode", kLlamaCpp, is_given<&Request::split_rows>},
    RuntimeOption{"main_gpu", kLlamaCpp, is_given<&Request::main_gpu>},
    RuntimeOption{"gpu_layers", kLlamaCpp, is_given<&Request::gpu_layers>},
    RuntimeOption{"cpu_moe", kLlamaCpp, is_given<&Request::cpu_moe>},
    RuntimeOption{"n_cpu_moe", kLlamaCpp, is_given<&Request::host_expert_layers>},
    RuntimeOption{"override_tensor", kLlamaCpp, is_given<&Request::override_tensor>},
    RuntimeOption{"swa_full", kLlamaCpp, is_given<&Request::full_window>},
    RuntimeOption{"kv_unified", kLlamaCpp, is_given<&Request::unified>},
    RuntimeOption{"mla", kLlamaCpp, is_given<&Request::latent>},
    RuntimeOption{"amb", kLlamaCpp, is_given<&Request::attention_limit>},
    RuntimeOption{"no_op_offload", kLlamaCpp, is_given<&Request::host_ops_on_gpu>},
    RuntimeOption{"no_pipeline", kLlamaCpp, is_given<&Request::pipeline>},
    RuntimeOption{"runtime_version", kLlamaCpp, is_given<&Request::version>},
    RuntimeOption{"kv_type_v", kLlamaCpp, is_given<&Request::value_type>},
    RuntimeOption{"kv_type_k", "llama.cpp, vllm, transformers", is_given<&Request::key_type>},
    RuntimeOption{"split", "llama.cpp, transformers", is_given<&Request::split>},
    RuntimeOption{"flash_attn", "llama.cpp, transformers, training", is_given<&Request::flash_attention>},
    RuntimeOption{"gpu_memory_utilization", "vllm", is_given<&Request::utilization>},
    RuntimeOption{"max_num_batched_tokens", "vllm", is_given<&Request::batched_tokens>},
    RuntimeOption{"weight_type", kTorch, is_given<&Request::weight_type>},
    RuntimeOption{"optimizer", kTraining, is_given<&Request::optimizer>},
    RuntimeOption{"precision", kTraining, is_given<&Request::precision>},
    RuntimeOption{"sharding", kTraining, is_given<&Request::sharding>},
    RuntimeOption{"checkpointing", kTraining, is_given<&Request::checkpointing>},
    RuntimeOption{"accumulation", kTraining, is_given<&Request::accumulation>},
    RuntimeOption{"lora_rank", kTraining, is_given<&Request::lora_rank>},
};

/// vLLM and transformers have one format for both: the values' may be named again.
bool is_same_again(const RuntimeOption& option, const Request& request) {
  return option.name == "kv_type_v" && request.value_type == request.key_type;
}

}  // namespace

Result<void> check_options(const EstimateRequest& request, const std::string& runtime) {
  for (const auto& option : kOptions) {
    if (!option.is_given(request) || option.runtimes.find(runtime) != std::string_view::npos) continue;
    if (runtime != kTraining && is_same_again(option, request)) continue;
    return fail(ErrorCode::InvalidArgument,
                format_text("{}: this is an option of {}, and the estimate is for {}: leave it out, or choose another "
                            "runtime",
                            option.name, option.runtimes, runtime));
  }
  return {};
}

}  // namespace dualgpuopt::memory
