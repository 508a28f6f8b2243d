#include "dualgpuopt/memory/oom/oom_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace dualgpuopt::memory {
namespace {

using Measures = std::vector<std::string>;

constexpr std::size_t kMostMeasures = 3;
/// Less than this comes and goes; it is no cause.
constexpr Bytes kWorthwhile = Bytes{64} << 20;

/// A share of the GPU under which hardly a model fits.
constexpr double kUsefulShare = 0.2;

/// Reserved by the framework's allocator and used by no tensor.
std::optional<Bytes> unused(const OomError& error) {
  if (error.reserved_unused) return error.reserved_unused;
  if (!error.reserved || !error.allocated || *error.reserved < *error.allocated) return std::nullopt;
  return *error.reserved - *error.allocated;
}

/// What is neither free nor this process's: others hold it, or the context of this one.
std::optional<Bytes> held_elsewhere(const OomError& error) {
  if (error.elsewhere) return error.elsewhere;
  if (!error.total || !error.free) return std::nullopt;
  const auto own = error.process ? error.process : error.reserved;
  if (!own || *own + *error.free > *error.total) return std::nullopt;
  return *error.total - *error.free - *own;
}

std::string where(const OomError& error) {
  if (error.is_host) return "of the host's memory";
  return error.gpu ? fmt::format("on GPU {}", *error.gpu) : "on a GPU that the text does not name";
}

void advise_on_others(const OomError& error, Measures& measures) {
  for (const auto& process : error.others) {
    if (process.used >= kWorthwhile)
      measures.push_back(fmt::format("Process {} holds {} of this GPU: end it or move one of the two to another GPU.",
                                     process.pid, format_bytes(process.used)));
  }
  const auto elsewhere = held_elsewhere(error);
  constexpr Bytes context = Bytes{1} << 30;
  if (error.others.empty() && elsewhere && *elsewhere > context) {
    measures.push_back(fmt::format(
        "{} of this GPU are held outside of this program's allocator: look for other processes with gpumem status.",
        format_bytes(*elsewhere)));
  }
}

void advise_on_fragments(const OomError& error, Measures& measures) {
  const auto idle = unused(error);
  if (!idle || *idle < kWorthwhile || !error.requested || *error.requested > *idle + error.free.value_or(0)) return;
  measures.push_back(fmt::format(
      "{} are reserved but unused, in pieces too small for {}: set PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True.",
      format_bytes(*idle), format_bytes(*error.requested)));
}

/// What could have been had at most; empty where the text tells nothing of it.
std::optional<Bytes> room(const OomError& error) {
  if (error.free) return *error.free + unused(error).value_or(0);
  const auto taken = error.allocated.value_or(0) + error.elsewhere.value_or(0);
  return error.limit && *error.limit >= taken ? std::optional(*error.limit - taken) : std::nullopt;
}

void advise_on_size(const OomError& error, Measures& measures) {
  const auto most = room(error);
  if (error.requested && error.free && *error.free > *error.requested + kWorthwhile) {
    measures.push_back(
        fmt::format("{} were free when {} were refused: look for a limit on this process (MIG, a memory fraction, "
                    "vm.max_map_count), or another process that had them at that moment.",
                    format_bytes(*error.free), format_bytes(*error.requested)));
  } else if (error.requested && most && *error.requested > *most) {
    measures.push_back(
        fmt::format("{} are missing: halve the batch, or use gradient checkpointing or a smaller number format.",
                    format_bytes(*error.requested - *most)));
  } else if (error.requested && most) {
    measures.push_back(
        fmt::format("{} were there, and {} asked for: free caches with torch.cuda.empty_cache() before this step, or "
                    "make its tensors smaller.",
                    format_bytes(*most), format_bytes(*error.requested)));
  } else {
    measures.emplace_back("Halve the batch, or use gradient checkpointing or a smaller number format.");
  }
}

void advise_pytorch(const OomError& error, Measures& measures) {
  if (error.limit && error.total && *error.limit < *error.total) {
    measures.push_back(fmt::format("This process may take {} only: raise torch.cuda.set_per_process_memory_fraction.",
                                   format_bytes(*error.limit)));
  }
  advise_on_others(error, measures);
  advise_on_fragments(error, measures);
  advise_on_size(error, measures);
}

void advise_llamacpp(const OomError& error, Measures& measures) {
  if (!error.fatal) {
    measures.emplace_back("Nothing needs to be done: the program went on with less.");
    return;
  }
  const auto size = error.requested ? format_bytes(*error.requested) : "the buffer";
  if (error.phase == OomPhase::Compute) {
    measures.push_back(
        fmt::format("The scratch buffer of {} grows with the micro-batch and the context: lower --ubatch-size or "
                    "--ctx-size, and use --flash-attn.",
                    size));
  }
  if (error.phase == OomPhase::KvCache) {
    measures.push_back(fmt::format(
        "The cache of {} grows with the context: lower --ctx-size, or halve it with -ctk q8_0 -ctv q8_0.", size));
  }
  measures.push_back(
      fmt::format("Put fewer layers on the GPU with --gpu-layers{}.",
                  error.phase == OomPhase::Weights ? fmt::format("; its weights ask for {} at once", size) : ""));
  measures.emplace_back("gpumem estimate MODEL --gpus SIZES says beforehand what fits.");
}

void advise_vllm(const OomError& error, Measures& measures) {
  if (error.context && error.cache_tokens) {
    measures.push_back(fmt::format("The cache holds {} of {} tokens: start with --max-model-len {}.",
                                   *error.cache_tokens, *error.context, *error.cache_tokens));
  }
  if (error.cache_needed && error.cache_left) {
    measures.push_back(fmt::format(
        "The cache needs {} and has {}: lower --max-model-len, or use --kv-cache-dtype fp8, which halves it.",
        format_bytes(*error.cache_needed),
        format_bytes(static_cast<Bytes>(std::max<SignedBytes>(0, *error.cache_left)))));
  } else if (error.cache_left) {
    measures.push_back(
        fmt::format("Weights and activations take {} more than the share of the GPU: raise --gpu-memory-utilization, "
                    "or lower --max-num-batched-tokens.",
                    format_bytes(static_cast<Bytes>(-*error.cache_left))));
  }
  if (error.free && error.total && *error.free < *error.total) {
    const double share = 0.98 * static_cast<double>(*error.free) / static_cast<double>(*error.total);
    const auto less = share < kUsefulShare ? "" : fmt::format(", or start with --gpu-memory-utilization {:.2f}", share);
    measures.push_back(
        fmt::format("Others hold {} of this GPU: end them{}.", format_bytes(*error.total - *error.free), less));
  }
  measures.emplace_back("Spread the model over more GPUs with --tensor-parallel-size, or take a quantised one.");
}

void advise_others(const OomError& error, Measures& measures) {
  switch (error.source) {
    case OomSource::Jax:
      measures.emplace_back(
          "JAX takes three quarters of a GPU at its start: XLA_PYTHON_CLIENT_PREALLOCATE=false leaves it to others.");
      break;
    case OomSource::TensorFlow:
      measures.emplace_back("Let TensorFlow grow as needed: TF_FORCE_GPU_ALLOW_GROWTH=true.");
      break;
    case OomSource::CuPy:
      measures.emplace_back(
          "Give CuPy's pool back before this step: cupy.get_default_memory_pool().free_all_blocks().");
      break;
    case OomSource::Rmm:
      measures.emplace_back(
          "Raise the pool's maximum size, or use managed memory: rmm.reinitialize(managed_memory=True).");
      break;
    case OomSource::OnnxRuntime:
      measures.emplace_back("Set the CUDA provider's arena_extend_strategy to kSameAsRequested, and gpu_mem_limit.");
      break;
    case OomSource::Ollama:
      measures.emplace_back("Take a smaller or more quantised model, or a shorter context: OLLAMA_CONTEXT_LENGTH.");
      break;
    default: measures.emplace_back("gpumem status shows which processes hold the GPU."); break;
  }
  if (error.requested && !is_implausible(*error.requested)) {
    measures.push_back(fmt::format("Make the step smaller that asks for {}: half the batch asks for about half.",
                                   format_bytes(*error.requested)));
  }
}

std::string asked_for(const OomError& error) {
  if (!error.requested) return "ran out of memory";
  if (is_implausible(*error.requested))
    return fmt::format("asked for {} bytes, which is implausible,", *error.requested);
  return fmt::format("asked for {}", format_bytes(*error.requested));
}

template <typename Value>
nlohmann::ordered_json or_null(const std::optional<Value>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

}  // namespace

std::string describe(const OomError& error) {
  auto text = fmt::format("{} {} {}", to_string(error.source), asked_for(error), where(error));
  if (error.free)
    text += fmt::format(", and {}{} were free", format_bytes(*error.free),
                        error.total ? " of " + format_bytes(*error.total) : "");
  if (error.allocated) text += fmt::format("; its tensors had {}", format_bytes(*error.allocated));
  if (const auto idle = unused(error)) text += fmt::format(", its allocator {} more, unused", format_bytes(*idle));
  if (!error.fatal) text += "; the program went on";
  return text;
}

std::vector<std::string> measures_against(const OomError& error) {
  Measures measures;
  switch (error.source) {
    case OomSource::PyTorch: advise_pytorch(error, measures); break;
    case OomSource::LlamaCpp: advise_llamacpp(error, measures); break;
    case OomSource::Vllm: advise_vllm(error, measures); break;
    default: advise_others(error, measures); break;
  }
  measures.resize(std::min(measures.size(), kMostMeasures));
  return measures;
}

std::string to_json(const OomError& error) {
  nlohmann::ordered_json record{{"schema", 1}, {"type", "oom_error"}};
  record["source"] = to_string(error.source);
  record["phase"] = to_string(error.phase);
  record["fatal"] = error.fatal;
  record["line"] = error.line;
  record["times"] = error.times;
  record["gpu"] = or_null(error.gpu);
  record["is_host"] = error.is_host;
  record["requested_bytes"] = or_null(error.requested);
  record["is_implausible"] = error.requested && is_implausible(*error.requested);
  record["total_bytes"] = or_null(error.total);
  record["free_bytes"] = or_null(error.free);
  record["allocated_bytes"] = or_null(error.allocated);
  record["reserved_bytes"] = or_null(error.reserved);
  record["unused_bytes"] = or_null(unused(error));
  record["private_pools_bytes"] = or_null(error.private_pools);
  record["process_bytes"] = or_null(error.process);
  record["limit_bytes"] = or_null(error.limit);
  record["elsewhere_bytes"] = or_null(held_elsewhere(error));
  record["others"] = nlohmann::ordered_json::array();
  for (const auto& process : error.others)
    record["others"].push_back({{"pid", process.pid}, {"used_bytes", process.used}});
  record["cache_left_bytes"] = or_null(error.cache_left);
  record["cache_needed_bytes"] = or_null(error.cache_needed);
  record["context"] = or_null(error.context);
  record["cache_tokens"] = or_null(error.cache_tokens);
  record["utilization"] = or_null(error.utilization);
  record["description"] = describe(error);
  record["measures"] = measures_against(error);
  record["text"] = error.text;
  return record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace dualgpuopt::memory
