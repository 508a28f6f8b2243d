#include "fakes/nvml/story/fault_reader.h"

#include <algorithm>
#include <array>

#include "core/format.h"
#include "fakes/nvml/codes.h"
#include "fakes/nvml/symbols.h"

namespace nvml_fake {
namespace {

using dualgpuopt::memory::format_text;

/// In the order of FaultKind and AbsurdValues.
constexpr std::array<std::string_view, 8> kKinds{"error", "hang",     "lost",        "absurd",
                                                 "gone",  "mismatch", "same_handle", "parent_denied"};
constexpr std::array<std::string_view, 3> kValues{"used_above_total", "zero_total", "all_ones"};

void check_keys(const StoryTable& table, FaultKind kind) {
  std::vector<std::string_view> keys{"kind", "at", "lasting", "gpu"};
  switch (kind) {
    case FaultKind::Error:
      keys.insert(keys.end(), {"instance", "call", "probability", "code"});
      table.require("code", "the number that the call returns, as in 999");
      break;
    case FaultKind::Hang: keys.insert(keys.end(), {"instance", "call", "probability"}); break;
    case FaultKind::Lost: keys.push_back("lookup"); break;
    case FaultKind::Absurd: keys.insert(keys.end(), {"instance", "values"}); break;
    case FaultKind::SameHandle:
      keys.insert(keys.end(), {"instance", "uuid"});
      table.require("gpu", "the number of the GPU whose instance it is");
      table.require("instance", "the slot of the instance");
      break;
    default: break;
  }
  table.allow_only(keys);
}

std::string read_call(const StoryTable& table) {
  const auto call = table.text("call").value_or("");
  if (!call.empty() && !names_a_call(call)) {
    table.refuse("call", "expected a function, as in \"MemoryInfo\" or \"nvmlDeviceGetMemoryInfo_v2\"");
  }
  return call;
}

int read_lookup(const StoryTable& table) {
  const auto lookup = table.whole_number("lookup", 0, kUnknown).value_or(kGpuIsLost);
  if (lookup != kGpuIsLost && lookup != kUnknown) table.refuse("lookup", "expected 15 or 999");
  return static_cast<int>(lookup);
}

Span read_time(const StoryTable& table) {
  Span span{table.duration("at").value_or(Duration{}), std::nullopt};
  if (const auto lasting = table.duration("lasting")) span.stop = span.start + *lasting;
  return span;
}

Fault read_fault(const StoryTable& table, const std::vector<Gpu>& gpus) {
  Fault fault;
  table.require("kind", R"(a kind of fault, as in "lost")");
  const auto kind = table.word("kind", kKinds);
  if (!kind) return fault;
  fault.kind = static_cast<FaultKind>(*kind);
  check_keys(table, fault.kind);
  fault.span = read_time(table);
  fault.gpu = read_gpu_index(table, gpus);
  fault.instance = read_instance_slot(table, gpus, fault.gpu);
  fault.call = read_call(table);
  fault.probability = table.fraction("probability").value_or(1);
  fault.code = static_cast<int>(table.whole_number("code", 1, kUnknown).value_or(0));
  fault.lookup = read_lookup(table);
  fault.values = static_cast<AbsurdValues>(table.word("values", kValues).value_or(0));
  fault.uuid = table.text("uuid").value_or("");
  if (fault.uuid.size() >= kNvmlFakeText) table.refuse("uuid", "too long");
  return fault;
}

}  // namespace

std::optional<unsigned> read_gpu_index(const StoryTable& table, const std::vector<Gpu>& gpus) {
  const auto gpu = table.number("gpu");
  if (gpu && *gpu >= gpus.size()) {
    table.refuse("gpu", format_text("there is no GPU {}: the scenario has {}", *gpu, gpus.size()));
    return std::nullopt;
  }
  return gpu;
}

std::optional<unsigned> read_instance_slot(const StoryTable& table, const std::vector<Gpu>& gpus,
                                           std::optional<unsigned> gpu) {
  const auto slot = table.number("instance");
  if (!slot) return std::nullopt;
  const auto has_slot = [&](const Instance& instance) { return instance.slot == *slot; };
  if (gpu && std::any_of(gpus[*gpu].instances.begin(), gpus[*gpu].instances.end(), has_slot)) return slot;
  table.refuse("instance", gpu ? format_text("GPU {} has no instance in slot {}", *gpu, *slot)
                               : std::string("the key \"gpu\" must say whose instance"));
  return std::nullopt;
}

std::vector<Fault> read_faults(const StoryTable& table, const std::vector<Gpu>& gpus) {
  std::vector<Fault> faults;
  for (const auto& fault : table.list("fault", "[[fault]]")) faults.push_back(read_fault(fault, gpus));
  return faults;
}

}  // namespace nvml_fake
