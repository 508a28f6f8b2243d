// PyTorch: c10/cuda/CUDACachingAllocator.cpp and its siblings for XPU and MPS, cudaMallocAsync's and the CPU's.
#include <algorithm>

#include "oom/oom_family.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::string_view kOutOfMemory[] = {"cuda out of memory", "hip out of memory", "xpu out of memory",
                                             "mps backend out of memory"};

/// The same of whatever device: "NPU out of memory. Tried to allocate".
constexpr std::string_view kAnyDevice = "out of memory. tried to allocate";

/// Words of advice, comments and conditions in code mention the error without being one.
bool is_mention(std::string_view line, std::string_view phrase) {
  const auto at = line.find(phrase);
  if (at == std::string_view::npos) return false;
  const auto before = line.substr(0, at);
  const auto after = line.substr(at + phrase.size());
  for (const auto* word : {"avoid ", "avoid a ", "prevent ", "if you see ", "if you get ", "if you encounter "}) {
    if (before.ends_with(word)) return true;
  }
  return after.starts_with("\" in ") || after.starts_with("' in ") || after.starts_with(" errors");
}

bool is_allocator(std::string_view line) {
  if (contains(line, kAnyDevice)) return true;
  return std::any_of(std::begin(kOutOfMemory), std::end(kOutOfMemory),
                     [&](auto phrase) { return contains(line, phrase) && !is_mention(line, phrase); });
}

bool is_async_allocator(std::string_view line) {
  return contains(line, "would exceed allowed memory") ||
         (contains(line, "outofmemoryerror: ") && contains(line, "allocation on device"));
}

bool is_cpu(std::string_view line) {
  return contains_any(line, {"you tried to allocate", "buy new ram"}) &&
         contains_any(line, {"defaultcpuallocator", "not enough memory", "can't allocate memory"});
}

bool is_directml(std::string_view line) {
  return contains(line, "could not allocate tensor with") && contains(line, "not enough gpu video memory");
}

/// What transformers says of quantised models, and PyTorch of one buffer on Apple's GPUs.
bool is_too_large(std::string_view line) {
  return contains_any(line, {"make sure you have enough gpu ram to fit", "invalid buffer size: "});
}

/// ComfyUI tries again in tiles.
bool is_tried_again(std::string_view line) {
  return contains(line, "ran out of memory when regular vae") && contains(line, "retrying");
}

bool starts(std::string_view line) {
  return is_allocator(line) || is_async_allocator(line) || is_cpu(line) || is_directml(line) || is_too_large(line) ||
         is_tried_again(line);
}

OomBackend backend_of(std::string_view text) {
  if (is_cpu(text)) return OomBackend::Host;
  if (contains(text, "hip out of memory")) return OomBackend::Hip;
  if (contains(text, "xpu out of memory")) return OomBackend::Xpu;
  if (contains_any(text, {"mps backend out of memory", "invalid buffer size"})) return OomBackend::Mps;
  if (contains(text, "npu out of memory")) return OomBackend::Npu;
  if (is_directml(text)) return OomBackend::DirectMl;
  return contains(text, "cuda") || is_async_allocator(text) ? OomBackend::Cuda : OomBackend::Unknown;
}

/// What stands in brackets after the size; all where there are none.
std::string_view in_brackets(std::string_view text) {
  const auto capacity = text.find("total capacity");
  return capacity == std::string_view::npos ? text : text.substr(0, text.find(')', capacity));
}

PyTorchEra era_of(std::string_view text) {
  if (contains_any(text, {"total capacity of", "total capacty of"})) return PyTorchEra::Sentences;
  if (amount_before(in_brackets(text), "cached")) return PyTorchEra::Cached;
  return contains(text, "total capacity") ? PyTorchEra::Brackets : PyTorchEra::Unknown;
}

/// "(GPU 0; 10.92 GiB total capacity; 8.57 MiB already allocated; 9.28 GiB free; 4.68 MiB cached)", up to 2.0. Up to
/// 1.3 "cached" is what is reserved beyond what is allocated; from 1.4 on "reserved in total" contains it.
void read_brackets(std::string_view text, OomError& error) {
  put(error, &OomError::total, amount_before(text, "total capacity"));
  put(error, &OomError::allocated, amount_before(text, "already allocated"));
  put(error, &OomError::free, amount_before(text, "free;"));
  put(error, &OomError::reserved_unused, amount_before(text, "cached"));
  put(error, &OomError::reserved, amount_before(text, "reserved in total by"));
  put(error, &OomError::limit, amount_before(text, "allowed;"));
}

/// "GPU 0 has a total capacity of … of which … is free. …", from 2.1 on; 2.1 itself writes "capacty".
void read_sentences(std::string_view text, OomError& error) {
  put(error, &OomError::total, amount_after(text, "total capacity of"));
  put(error, &OomError::total, amount_after(text, "total capacty of"));
  put(error, &OomError::free, amount_before(text, "is free"));
  put(error, &OomError::limit, amount_before(text, "allowed;"));
  put(error, &OomError::process, amount_after(text, "this process has"));
  put(error, &OomError::allocated, amount_after(text, "of the allocated memory"));
  put(error, &OomError::allocated, amount_before(text, "is allocated by pytorch"));
  put(error, &OomError::private_pools, amount_before(text, "allocated in private pools"));
  put(error, &OomError::reserved_unused, amount_before(text, "is reserved by pytorch but"));
}

/// "Process 1234 has 20.10 GiB memory in use."
void read_processes(std::string_view text, OomError& error) {
  constexpr std::string_view kProcess = "process ";
  for (auto at = text.find(kProcess); at != std::string_view::npos; at = text.find(kProcess, at + 1)) {
    const auto rest = text.substr(at, 120);
    const auto sentence = rest.substr(0, rest.find(" memory in use"));
    const auto pid = number_after(sentence.substr(0, sentence.find(" has ")), kProcess);
    const auto used = amount_after(sentence, " has ");
    if (!pid || !used || sentence.size() == rest.size()) continue;
    if (*pid < 1U << 31) error.others.push_back({static_cast<int>(*pid), used->bytes});
    if (!used->bytes) error.implausible.emplace_back("others");
  }
}

/// "Currently allocated : …", of the backend cudaMallocAsync.
void read_list(std::string_view text, OomError& error) {
  put(error, &OomError::allocated, amount_after(text, "currently allocated :"));
  put(error, &OomError::requested, amount_after(text, "requested :"));
  put(error, &OomError::total, amount_after(text, "device limit :"));
  put(error, &OomError::free, amount_after(text, "free (according to cuda):"));
  const auto limit = amount_after(text, "memory fraction) :");
  if (limit && limit->bytes) error.limit = limit->bytes;  // without a limit set it is 2^64
}

void read_mps(std::string_view text, OomError& error) {
  put(error, &OomError::allocated, amount_after(text, "mps allocated:"));
  put(error, &OomError::elsewhere, amount_after(text, "other allocations:"));
  put(error, &OomError::limit, amount_after(text, "max allowed:"));
}

std::optional<int> device_of(std::string_view text) {
  return first_device(text, {"gpu ", "npu ", "mlu ", "musa ", "xpu ", "allocation on device "});
}

/// The text from the first phrase of the error on: what stands before it is the log's.
std::string_view message_of(std::string_view text) {
  auto start = text.size();
  for (const auto phrase : kOutOfMemory) start = std::min(start, text.find(phrase));
  return start < text.size() ? text.substr(start) : text;
}

void read(std::string_view whole, OomError& error) {
  const auto text = message_of(whole);
  error.source = OomSource::PyTorch;
  error.backend = backend_of(text);
  error.fatal = !is_tried_again(text);
  if (contains(text, "enough gpu ram to fit")) error.phase = OomPhase::Weights;
  put(error, &OomError::requested, amount_after(text, "tried to allocate"));
  put(error, &OomError::requested, amount_after(text, "tried to allocate more than"));
  put(error, &OomError::requested, amount_after(text, "allocate tensor with"));
  put(error, &OomError::requested, amount_after(text, "invalid buffer size: "));
  if (error.backend == OomBackend::Host) return;
  if (error.backend == OomBackend::Mps) return read_mps(text, error);
  error.gpu = device_of(text);
  error.era = era_of(text);
  error.era == PyTorchEra::Sentences ? read_sentences(text, error) : read_brackets(in_brackets(text), error);
  read_processes(text, error);
  read_list(text, error);
}

}  // namespace

OomFamily pytorch_family() { return {starts, nothing_continues, read, kWrappedLines}; }

}  // namespace dualgpuopt::memory
