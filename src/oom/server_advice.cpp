#include "oom/server_advice.h"

#include <algorithm>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

using Measures = std::vector<std::string>;

/// A share of the GPU under which hardly a model fits.
constexpr double kUsefulShare = 0.2;
/// Of what is free, the part that may be asked for: a little is taken in between.
constexpr double kOfFree = 0.98;
/// A cache of q8_0 beside one of f16: 34 bytes in place of 64 for 32 elements.
constexpr double kQuantised = 34.0 / 64;

std::string size(Bytes bytes) { return format_bytes(bytes); }
std::string asked(const OomError& error) { return error.requested ? size(*error.requested) : "the buffer"; }

// --- llama.cpp and Ollama ---

void advise_on_compute(const OomError& error, Measures& measures) {
  measures.push_back(
      format_text("The scratch buffer of {} grows with the micro-batch and the context: lower --ubatch-size or "
                  "--ctx-size, and use --flash-attn.",
                  asked(error)));
}

void advise_on_cache(const OomError& error, Measures& measures) {
  const auto less = error.requested
                        ? format_text(", about {} in place of f16",
                                      size(static_cast<Bytes>(static_cast<double>(*error.requested) * kQuantised)))
                        : "";
  measures.push_back(
      format_text("The cache of {} grows with the context: lower --ctx-size, or nearly halve it with -ctk q8_0 -ctv "
                  "q8_0{}.",
                  asked(error), less));
}

void advise_llamacpp(const OomError& error, Measures& measures) {
  if (error.phase == OomPhase::Compute) advise_on_compute(error, measures);
  if (error.phase == OomPhase::KvCache) advise_on_cache(error, measures);
  const auto weights =
      error.phase == OomPhase::Weights ? format_text("; its weights ask for {} at once", asked(error)) : "";
  measures.push_back(format_text("Put fewer layers on the GPU with --gpu-layers{}.", weights));
  measures.emplace_back("gpumem estimate MODEL --gpus SIZES says beforehand what fits.");
}

void advise_ollama(const OomError& error, Measures& measures) {
  const auto what = error.requested ? format_text("{} at once are too much: take", size(*error.requested)) : "Take";
  const auto* how = error.phase == OomPhase::Weights
                        ? "fewer layers on the GPU (num_gpu), or a smaller model"
                        : "a shorter context (num_ctx, OLLAMA_CONTEXT_LENGTH), or fewer layers on the GPU (num_gpu)";
  measures.push_back(format_text("{} {}.", what, how));
  measures.emplace_back("OLLAMA_FLASH_ATTENTION=1 and OLLAMA_KV_CACHE_TYPE=q8_0 nearly halve the cache.");
  measures.emplace_back("OLLAMA_NUM_PARALLEL=1 and OLLAMA_MAX_LOADED_MODELS=1, or a smaller or more quantised model.");
}

// --- vLLM and its like ---

/// How many tokens fit, as the server says, or in proportion.
std::optional<std::uint64_t> fitting_context(const OomError& error) {
  if (error.estimated_context) return error.estimated_context;
  if (error.cache_tokens) return error.cache_tokens;
  if (!error.context || !error.cache_needed || error.cache_left.value_or(0) <= 0) return std::nullopt;
  const auto left = static_cast<Bytes>(*error.cache_left);
  if (left >= *error.cache_needed) return std::nullopt;
  const auto share = static_cast<double>(left) / static_cast<double>(*error.cache_needed);
  return static_cast<std::uint64_t>(share * static_cast<double>(*error.context));
}

void advise_on_context(const OomError& error, Measures& measures) {
  const auto fits = fitting_context(error);
  if (!fits || *fits == 0) return;
  const auto of = error.context ? format_text(" of {}", *error.context) : "";
  measures.push_back(format_text("The cache holds {}{} tokens: start with --max-model-len {}.", *fits, of, *fits));
}

void advise_on_cache_left(const OomError& error, Measures& measures) {
  if (error.cache_needed && error.cache_left) {
    measures.push_back(format_text(
        "The cache needs {} and has {}: lower --max-model-len, or use --kv-cache-dtype fp8, which halves it.",
        size(*error.cache_needed), size(static_cast<Bytes>(std::max<SignedBytes>(0, *error.cache_left)))));
  } else if (error.cache_left && *error.cache_left <= 0) {
    measures.push_back(
        format_text("Weights and activations take {} more than the share of the GPU: raise --gpu-memory-utilization, "
                    "or lower --max-num-batched-tokens.",
                    size(static_cast<Bytes>(-*error.cache_left))));
  }
}

void advise_on_free(const OomError& error, Measures& measures) {
  if (!error.free || !error.total || *error.free >= *error.total) return;
  const double share = kOfFree * static_cast<double>(*error.free) / static_cast<double>(*error.total);
  const auto less = share < kUsefulShare ? "" : format_text(", or start with --gpu-memory-utilization {:.2f}", share);
  measures.push_back(format_text("Others hold {} of this GPU: end them{}.", size(*error.total - *error.free), less));
}

void advise_vllm(const OomError& error, Measures& measures) {
  if (!error.fatal) {
    measures.emplace_back(
        "Raise --gpu-memory-utilization or lower --max-num-seqs: requests give up their cache and are computed again.");
    return;
  }
  if (error.free && !error.total)
    measures.emplace_back("Let no other process start or end on this GPU while vLLM starts: it measures what is free.");
  advise_on_context(error, measures);
  advise_on_cache_left(error, measures);
  advise_on_free(error, measures);
  if (error.phase == OomPhase::KvCache && error.cache_left.value_or(1) > 0) {
    measures.emplace_back("Raise --gpu-memory-utilization (0.9 unless set), if nothing else needs the rest.");
  } else if (error.phase == OomPhase::Startup && !error.free && !error.requested) {
    measures.emplace_back("Lower --max-num-seqs or --gpu-memory-utilization: warming up needs room beside the cache.");
  }
  measures.emplace_back("Spread the model over more GPUs with --tensor-parallel-size, or take a quantised one.");
}

void advise_sglang(const OomError& error, Measures& measures) {
  if (!error.fatal) {
    measures.emplace_back("Raise --mem-fraction-static or lower --max-running-requests: requests are taken back.");
    return;
  }
  measures.emplace_back("Raise --mem-fraction-static, or lower --context-length.");
  measures.emplace_back("Lower --chunked-prefill-size or --max-running-requests, or spread the model with --tp.");
}

void advise_tgi(const OomError& error, Measures& measures) {
  const auto tokens = error.context ? format_text(" from {}", *error.context) : "";
  measures.push_back(format_text("Lower --max-batch-prefill-tokens{}.", tokens));
  measures.emplace_back("Spread the model with --num-shard, or take a quantised one with --quantize.");
}

}  // namespace

bool is_server(OomSource source) {
  return source == OomSource::LlamaCpp || source == OomSource::Ollama || source == OomSource::Vllm ||
         source == OomSource::SgLang || source == OomSource::Tgi;
}

void advise_server(const OomError& error, std::vector<std::string>& measures) {
  switch (error.source) {
    case OomSource::LlamaCpp: return advise_llamacpp(error, measures);
    case OomSource::Ollama: return advise_ollama(error, measures);
    case OomSource::SgLang: return advise_sglang(error, measures);
    case OomSource::Tgi: return advise_tgi(error, measures);
    default: return advise_vllm(error, measures);
  }
}

}  // namespace dualgpuopt::memory
