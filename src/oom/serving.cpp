// vLLM and SGLang: servers that reckon at their start whether a model and its KV cache will fit.
#include <cmath>

#include "oom/oom_family.h"

namespace dualgpuopt::memory {
namespace {

/// A traceback stands between the memory that was found and the error it led to.
constexpr std::size_t kTracebackLines = 200;
constexpr std::string_view kNoBlocks = "available memory for the cache blocks";
constexpr std::string_view kProfiling = "error in memory profiling";
constexpr std::string_view kNegative = "available kv cache memory: -";
constexpr std::string_view kNegativeRest = "reserved for kv cache is -";  // up to 0.8

bool is_sglang(std::string_view line) {
  if (contains_any(line, {"prefill out of memory", "decode out of memory"})) return true;
  return contains_any(line,
                      {"mem-fraction-static", "mem_fraction_static", "#retracted_reqs", "kv cache pool is full"}) &&
         contains_any(line, {"not enough memory", "out of memory", "pool is full"});
}

bool is_tgi(std::string_view line) { return contains(line, "not enough memory to handle") && contains(line, "tokens"); }

bool is_too_long(std::string_view line) {
  return contains(line, "max seq len") && contains_any(line, {"larger than the", "kv cache is needed"});
}

bool is_preemption(std::string_view line) { return contains(line, "not enough kv cache space"); }

bool starts(std::string_view line) {
  return is_sglang(line) || is_tgi(line) || is_too_long(line) || is_preemption(line) ||
         contains_any(line, {kNoBlocks, kNegative, kNegativeRest, "less than desired gpu memory utilization",
                             "out of memory occurred when warming up", kProfiling});
}

bool continues(std::string_view text, std::string_view line) {
  return contains_any(text, {kNegative, kNegativeRest, kNoBlocks}) && contains(line, kNoBlocks);
}

void read_cache(std::string_view text, OomError& error) {
  error.phase = OomPhase::KvCache;
  error.context = number_after(text, "max seq len (");
  error.cache_tokens = number_after(text, "stored in kv cache (");
  error.estimated_context = number_after(text, "estimated maximum model length is ");
  put(error, &OomError::cache_needed, amount_before(text, " kv cache is needed"));
  if (const auto negative = amount_after(text, "available kv cache memory (-"); negative && negative->bytes)
    error.cache_left = -static_cast<SignedBytes>(*negative->bytes);
  if (const auto available = amount_after(text, "available kv cache memory ("); available && available->bytes)
    error.cache_left = static_cast<SignedBytes>(*available->bytes);
}

/// "Available KV cache memory: -0.53 GiB"; "total_gpu_memory (23.64GiB) x gpu_memory_utilization (0.90) = …"
void read_negative(std::string_view text, OomError& error) {
  auto short_by = amount_after(text, kNegative);
  if (!short_by) short_by = amount_after(text, kNegativeRest);
  if (short_by && short_by->bytes) error.cache_left = -static_cast<SignedBytes>(*short_by->bytes);
  put(error, &OomError::total, amount_after(text, "total_gpu_memory ("));
  error.utilization = decimal_after(text, "x gpu_memory_utilization (");
}

/// "Free memory on device (59.32/79.15 GiB) on startup …": the unit stands after the total, and is always GiB.
void read_free(std::string_view text, OomError& error) {
  const auto start = text.find("free memory on device");
  if (start == std::string_view::npos) return;
  const auto rest = text.substr(start);
  const auto memory = rest.substr(0, rest.find("gib"));
  error.gpu = device_after(memory, "cuda:");
  const auto free = decimal_after(memory, "(");
  if (memory.find('/') == std::string_view::npos || !free || *free < 0 || *free > 0x1p30) return;
  put(error, &OomError::total, amount_after(rest, "/"));
  error.free = static_cast<Bytes>(std::llround(*free * 0x1p30));
}

/// "… is less than desired GPU memory utilization (0.9, 71.24 GiB)."
void read_startup(std::string_view text, OomError& error) {
  constexpr std::string_view kUtilization = "gpu memory utilization (";
  error.phase = OomPhase::Startup;
  read_free(text, error);
  const auto at = text.find(kUtilization);
  if (at == std::string_view::npos) return;
  error.utilization = decimal_after(text, kUtilization);
  put(error, &OomError::requested, amount_after(text.substr(at), ","));
}

void read_sglang(std::string_view text, OomError& error) {
  error.source = OomSource::SgLang;
  error.phase = OomPhase::KvCache;
  if (contains_any(text, {"#retracted_reqs", "pool is full"})) error.fatal = false;
}

void read(std::string_view text, OomError& error) {
  error.source = OomSource::Vllm;
  error.fatal = !is_preemption(text);
  if (is_sglang(text)) return read_sglang(text, error);
  if (is_tgi(text)) {
    error.source = OomSource::Tgi;
    error.phase = OomPhase::Startup;
    error.context = number_after(text, "to handle ");
    return;
  }
  if (contains(text, "desired gpu memory utilization")) return read_startup(text, error);
  if (contains_any(text, {"when warming up", kProfiling})) {
    error.phase = OomPhase::Startup;
    put(error, &OomError::free, amount_after(text, "current free memory "));
    return;
  }
  read_cache(text, error);
  read_negative(text, error);
}

}  // namespace

OomFamily serving_family() { return {starts, continues, read, kTracebackLines}; }

}  // namespace dualgpuopt::memory
