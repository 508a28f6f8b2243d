#include "dualgpuopt/memory/oom/oom_advice.h"

#include <algorithm>
#include <cmath>

#include "core/format.h"
#include "oom/server_advice.h"

namespace dualgpuopt::memory {
namespace {

using Measures = std::vector<std::string>;

constexpr std::size_t kMostMeasures = 3;
/// Less than this comes and goes; it is no cause.
constexpr Bytes kWorthwhile = 64_MiB;
/// What a process's contexts and libraries may hold beside its allocator.
constexpr Bytes kContext = 1_GiB;

std::string size(Bytes bytes) { return format_bytes(bytes); }

// --- what any framework's error may tell ---

void advise_on_implausible(const OomError& error, Measures& measures) {
  if (!is_implausible(error, "requested_bytes") && !(error.requested && is_implausible(*error.requested))) return;
  measures.emplace_back(
      "No machine has what was asked for: look for a wrong shape, a negative dimension or an integer overflow, not for "
      "memory.");
}

void advise_on_larger_than_gpu(const OomError& error, Measures& measures) {
  if (!error.requested || !error.total || *error.total == 0 || *error.requested <= *error.total) return;
  measures.push_back(format_text(
      "{} at once are {:.1f} times the {} that this GPU has: make that one tensor smaller (batch, sequence length, "
      "resolution), or work in parts.",
      size(*error.requested), static_cast<double>(*error.requested) / static_cast<double>(*error.total),
      size(*error.total)));
}

void advise_on_processes(const OomError& error, Measures& measures) {
  for (const auto& process : error.others) {
    if (process.used && *process.used >= kWorthwhile && !process.may_be_this && !is_implausible(*process.used))
      measures.push_back(format_text("Process {} holds {} of this GPU: end it or move one of the two to another GPU.",
                                     process.pid, size(*process.used)));
  }
}

/// More was free than was asked for: what others hold, or fragments, cannot be the cause.
bool was_enough_free(const OomError& error) {
  return error.requested && error.free && *error.free > *error.requested + kWorthwhile;
}

void advise_on_others(const OomError& error, Measures& measures) {
  if (was_enough_free(error)) return;
  advise_on_processes(error, measures);
  if (error.others.empty() && error.elsewhere && *error.elsewhere > kContext && error.backend != OomBackend::Mps)
    measures.push_back(format_text(
        "{} of this GPU are held outside of this program's allocator: look for other processes with gpumem status.",
        size(*error.elsewhere)));
}

/// What could have been had at most; empty where the text tells nothing of it.
std::optional<Bytes> room(const OomError& error) {
  if (error.free) return *error.free + error.reserved_unused.value_or(0);
  const auto taken = error.allocated.value_or(0) + error.elsewhere.value_or(0);
  return error.limit && *error.limit >= taken ? std::optional(*error.limit - taken) : std::nullopt;
}

void advise_smaller(const OomError& error, Measures& measures) {
  if (error.requested)
    measures.push_back(format_text("Make the step smaller that asks for {}: half the batch asks for about half.",
                                   size(*error.requested)));
}

// --- PyTorch ---

std::string empty_cache(const OomError& error) {
  if (error.backend == OomBackend::Mps) return "torch.mps.empty_cache()";
  return error.backend == OomBackend::Xpu ? "torch.xpu.empty_cache()" : "torch.cuda.empty_cache()";
}

/// What the version can be told against fragments.
std::string allocator_setting(const OomError& error) {
  if (error.era == PyTorchEra::Cached || error.backend == OomBackend::Xpu)
    return "call " + empty_cache(error) + " between phases of different sizes";
  const auto* variable = error.backend == OomBackend::Hip ? "PYTORCH_HIP_ALLOC_CONF" : "PYTORCH_CUDA_ALLOC_CONF";
  return format_text("set {}=expandable_segments:True{}", variable,
                     error.era == PyTorchEra::Brackets ? ", before PyTorch 2.1 max_split_size_mb:128" : "");
}

void advise_on_fragments(const OomError& error, Measures& measures) {
  if (was_enough_free(error)) return;
  const auto idle = error.reserved_unused;
  if (!idle || *idle < kWorthwhile || !error.requested || *error.requested > *idle + error.free.value_or(0)) return;
  measures.push_back(format_text("{} are reserved but unused, in pieces too small for {}: {}.", size(*idle),
                                 size(*error.requested), allocator_setting(error)));
}

void advise_on_size(const OomError& error, Measures& measures) {
  const auto most = room(error);
  if (was_enough_free(error)) {
    measures.push_back(
        format_text("{} were free when {} were refused: look for a limit on this process (MIG, a memory fraction, "
                    "vm.max_map_count), or another process that had them at that moment.",
                    size(*error.free), size(*error.requested)));
  } else if (error.requested && most && *error.requested > *most) {
    measures.push_back(
        format_text("{} are missing: halve the batch, or use gradient checkpointing or a smaller number format.",
                    size(*error.requested - *most)));
  } else if (error.requested && most) {
    measures.push_back(format_text(
        "{} were there, and {} asked for: free caches with {} before this step, or make its tensors smaller.",
        size(*most), size(*error.requested), empty_cache(error)));
  } else {
    measures.emplace_back("Halve the batch, or use gradient checkpointing or a smaller number format.");
  }
}

void advise_on_server(const OomError& error, Measures& measures) {
  if (error.application == OomSource::Vllm)
    measures.emplace_back(
        "Lower --gpu-memory-utilization, --max-num-seqs or --max-model-len: vLLM leaves the rest to PyTorch.");
  if (error.application == OomSource::SgLang)
    measures.emplace_back("Lower --mem-fraction-static, which leaves the rest to PyTorch.");
  if (error.application == OomSource::Tgi)
    measures.emplace_back(
        "Lower --cuda-memory-fraction or --max-batch-prefill-tokens, which leave the rest to PyTorch.");
}

void advise_mps(const OomError& error, Measures& measures) {
  if (error.elsewhere && *error.elsewhere >= kWorthwhile)
    measures.push_back(format_text("{} are allocated outside of PyTorch's allocator: close what else uses the GPU.",
                                   size(*error.elsewhere)));
  advise_on_size(error, measures);
  measures.push_back(
      format_text("PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0 lifts the limit{}, at the risk of the system's stability.",
                  error.limit ? " of " + size(*error.limit) : ""));
}

/// Whether PyTorch's own limit was in the way, and not that the device itself was full.
bool met_limit(const OomError& error) {
  if (!error.limit || !error.total || *error.limit >= *error.total) return false;
  if (!error.requested || !error.free || *error.free >= *error.requested) return true;
  const auto held = error.reserved ? *error.reserved : error.allocated.value_or(0) + error.reserved_unused.value_or(0);
  return held + *error.requested > *error.limit;
}

void advise_pytorch(const OomError& error, Measures& measures) {
  if (error.backend == OomBackend::Mps) return advise_mps(error, measures);
  const bool is_limited = met_limit(error);
  if (is_limited)
    measures.push_back(format_text("This process may take {} only: raise torch.cuda.set_per_process_memory_fraction.",
                                   size(*error.limit)));
  advise_on_larger_than_gpu(error, measures);
  advise_on_others(error, measures);
  advise_on_fragments(error, measures);
  advise_on_server(error, measures);
  if (!is_limited || !was_enough_free(error)) advise_on_size(error, measures);
}

// --- JAX and TensorFlow ---

void advise_jax(const OomError& error, Measures& measures) {
  if (error.backend == OomBackend::Tpu) {
    if (error.requested && error.total && *error.requested > *error.total)
      measures.push_back(format_text("{} of {} are missing: take a smaller batch, or shard over more devices.",
                                     size(*error.requested - *error.total), size(*error.requested)));
    measures.emplace_back("jax.checkpoint (rematerialization) trades memory for time.");
    return;
  }
  measures.emplace_back(
      "JAX takes three quarters of a GPU at its start: XLA_PYTHON_CLIENT_PREALLOCATE=false leaves it to others.");
  advise_smaller(error, measures);
  measures.emplace_back("jax.checkpoint (rematerialization) trades memory for time.");
}

void advise_on_shape(const OomError& error, Measures& measures) {
  if (error.shape.empty() || !error.requested || error.shape.front() < 2) return;
  const auto half = error.shape.front() / 2;
  measures.push_back(
      format_text("A first dimension of {} in place of {} (the batch, as a rule) takes {} in place of {}.", half,
                  error.shape.front(), size(*error.requested / error.shape.front() * half), size(*error.requested)));
}

void advise_tensorflow(const OomError& error, Measures& measures) {
  advise_on_shape(error, measures);
  measures.emplace_back("Let TensorFlow grow as needed: TF_FORCE_GPU_ALLOW_GROWTH=true.");
  if (error.shape.empty()) advise_smaller(error, measures);
  measures.emplace_back("Against fragments: TF_GPU_ALLOCATOR=cuda_malloc_async.");
}

// --- the others ---

void advise_host(const OomError& error, Measures& measures) {
  measures.emplace_back("It is the host's memory that ran out, no GPU's: free some, or use fewer workers.");
  if (error.requested && error.free && *error.requested > *error.free)
    measures.push_back(format_text("{} are missing of {}: take a smaller model or a shorter context.",
                                   size(*error.requested - *error.free), size(*error.requested)));
  else
    advise_smaller(error, measures);
}

void advise_library(const OomError& error, Measures& measures) {
  switch (error.source) {
    case OomSource::CuPy:
      if (error.limit)
        measures.push_back(format_text("The pool's limit is {}: raise it with set_limit().", size(*error.limit)));
      measures.emplace_back(
          "Give CuPy's pool back before this step: cupy.get_default_memory_pool().free_all_blocks().");
      break;
    case OomSource::Rmm:
      measures.push_back(
          format_text("Raise the pool's maximum size{}, or use managed memory: rmm.reinitialize(managed_memory=True).",
                      error.limit ? " of " + size(*error.limit) : ""));
      break;
    case OomSource::OnnxRuntime:
      measures.emplace_back("Set the CUDA provider's arena_extend_strategy to kSameAsRequested, and gpu_mem_limit.");
      break;
    case OomSource::TensorRt:
      measures.emplace_back("Lower the workspace's limit and the profile's largest shape.");
      break;
    case OomSource::Paddle: measures.emplace_back("Against fragments: FLAGS_allocator_strategy=auto_growth."); break;
    case OomSource::CudaJl:
      measures.emplace_back("Give the pool back before this step: GC.gc(true); CUDA.reclaim().");
      break;
    case OomSource::Mlx:
      measures.emplace_back("Give the cache back with mx.clear_cache(), or raise sysctl iogpu.wired_limit_mb.");
      break;
    default: measures.emplace_back("gpumem status shows which processes hold the GPU."); break;
  }
  advise_on_larger_than_gpu(error, measures);
  advise_on_others(error, measures);
  advise_smaller(error, measures);
}

void advise_survived(const OomError& error, Measures& measures) {
  if (error.source == OomSource::Vllm || error.source == OomSource::SgLang) return advise_server(error, measures);
  if (error.phase == OomPhase::Startup && is_server(error.source)) {
    measures.emplace_back("Leave out --gpu-layers, so that llama.cpp chooses what fits, or lower --ctx-size.");
    return;
  }
  measures.emplace_back("Nothing needs to be done: the program went on with less.");
}

void advise(const OomError& error, Measures& measures) {
  if (error.is_host()) return advise_host(error, measures);
  if (is_server(error.source)) return advise_server(error, measures);
  switch (error.source) {
    case OomSource::PyTorch: return advise_pytorch(error, measures);
    case OomSource::Jax: return advise_jax(error, measures);
    case OomSource::TensorFlow: return advise_tensorflow(error, measures);
    default: return advise_library(error, measures);
  }
}

}  // namespace

std::vector<std::string> measures_against(const OomError& error) {
  Measures measures;
  advise_on_implausible(error, measures);
  if (!error.fatal) {
    advise_survived(error, measures);
  } else if (measures.empty()) {
    advise(error, measures);
  }
  measures.resize(std::min(measures.size(), kMostMeasures));
  return measures;
}

}  // namespace dualgpuopt::memory
