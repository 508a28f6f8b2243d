// Ollama's own words: before it starts a runner, and after one ended.
#include "oom/oom_family.h"

namespace dualgpuopt::memory {
namespace {

bool is_too_large(std::string_view line) {
  return (contains(line, "model requires more ") && contains(line, "memory")) ||
         contains(line, "model request too large for system");
}

bool is_runner(std::string_view line) {
  return contains(line, "llama runner") &&
         contains_any(line, {"out of memory", "enough available memory", "unable to allocate", "out of device memory",
                             "signal: killed", "alloc failed"});
}

bool is_layout(std::string_view line) {
  return contains_any(line, {"insufficient memory - required allocations", "memory layout cannot be allocated",
                             "insufficient vram to load any model layers"});
}

bool starts(std::string_view line) { return is_too_large(line) || is_runner(line) || is_layout(line); }

/// The runner's last words come with its end.
bool continues(std::string_view text, std::string_view line) {
  return is_runner(text) && contains_any(line, {"failed to allocate ", "error loading model", "unable to allocate "});
}

OomPhase phase_of(std::string_view text) {
  if (contains_any(text, {"gallocr", "compute buffer", "allocate compute"})) return OomPhase::Compute;
  if (contains(text, "kv cache")) return OomPhase::KvCache;
  return contains(text, "loading model") ? OomPhase::Weights : OomPhase::Startup;
}

/// `requested="5.6 GiB" available=4123`: a key of a structured log, quoted or not.
std::optional<Amount> value_of(std::string_view text, const std::string& key) {
  const auto quoted = amount_after(text, key + "=\"");
  return quoted ? quoted : amount_after(text, key + "=");
}

void read(std::string_view text, OomError& error) {
  error.source = OomSource::Ollama;
  error.fatal = !contains(text, "to load any model layers");  // it takes the host's memory then
  if (is_too_large(text)) {
    error.backend = contains_any(text, {"gpu memory", "vram"}) ? OomBackend::Unknown : OomBackend::Host;
  }
  if (contains(text, "signal: killed")) error.backend = OomBackend::Host;
  error.phase = phase_of(text);
  error.gpu = first_device(text, {"allocate cuda", "allocate rocm", "allocate vulkan"});
  put(error, &OomError::requested, amount_after(text, "memory ("));
  put(error, &OomError::requested, amount_after(text, "buffer of size "));
  put(error, &OomError::free, amount_after(text, "than is available ("));
  put(error, &OomError::requested, value_of(text, "requested"));
  put(error, &OomError::free, value_of(text, "available"));
  put(error, &OomError::total, value_of(text, "total"));
}

}  // namespace

OomFamily ollama_family() { return {starts, continues, read, kWrappedLines}; }

}  // namespace dualgpuopt::memory
