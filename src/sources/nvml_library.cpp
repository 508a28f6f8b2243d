#include "sources/nvml_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <initializer_list>
#include <optional>
#include <utility>

#include "core/format.h"
#include "sources/nvml_code.h"

namespace dualgpuopt::memory::nvml {
namespace {

constexpr auto kDefaultLibrary = "libnvidia-ml.so.1";

/// Points `function` at the first of the names that the library has, the newest first.
template <typename Function>
void find(void* library, Function& function, std::initializer_list<const char*> names) {
  for (const auto* name : names) {
    function = reinterpret_cast<Function>(::dlsym(library, name));  // NOLINT: what dlsym is for
    if (function != nullptr) return;
  }
}

/// Calls a function that may be missing.
template <typename Function, typename... Arguments>
Code call(Function function, Arguments... arguments) {
  return function == nullptr ? Code::FunctionNotFound : function(arguments...);
}

template <typename Value>
Answer<Value> answer(Code code, Value value) {
  if (code != Code::Success) return tl::unexpected(code);
  return value;
}

Answer<std::string> text(TextFunction function, Handle device) {
  std::array<char, kLongestText + 1> buffer{};  // one more, in case the driver forgets the NUL
  const auto code = call(function, device, buffer.data(), static_cast<unsigned>(kLongestText));
  return answer(code, std::string(buffer.data()));
}

/// Reads the beginning of "535.54.03".
std::optional<std::pair<int, int>> branch_and_release(const std::string& version) {
  int branch = 0;
  int release = 0;
  if (std::sscanf(version.c_str(), "%d.%d", &branch, &release) != 2) return std::nullopt;  // NOLINT: two plain numbers
  return std::pair(branch, release);
}

/// Drivers 535.43 to before 535.86 (https://github.com/wookayin/gpustat/issues/161).
bool has_wide_entries(const std::string& version) {
  const auto numbers = branch_and_release(version);
  return numbers && numbers->first == 535 && numbers->second >= 43 && numbers->second < 86;
}

/// Since R510 (https://github.com/NVIDIA/gpu-operator/issues/348).
bool contains_reserve(const std::string& version) {
  const auto numbers = branch_and_release(version);
  return !numbers || numbers->first >= 510;
}

std::string loader_message() {
  const auto* message = ::dlerror();
  return message != nullptr ? message : "the loader gives no reason";
}

}  // namespace

Result<Library> Library::open(const std::filesystem::path& file) {
  const auto name = file.empty() ? std::string(kDefaultLibrary) : file.string();
  auto* loaded = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (loaded == nullptr) {
    return fail(
        ErrorCode::Unavailable,
        format_text("cannot load {}, the library of the NVIDIA driver ({}); either the driver is not installed, "
                    "or this is a container that was started without `--gpus`",
                    name, loader_message()));
  }
  Library library(loaded);
  library.resolve();
  if (const auto missing = library.missing(); !missing.empty()) {
    return fail(ErrorCode::Unsupported,
                format_text("{} is no usable NVML: it lacks {}; install a newer NVIDIA driver", name, missing));
  }
  return library;
}

Library::Library(Library&& other) noexcept
    : loaded_(std::exchange(other.loaded_, nullptr)),
      functions_(other.functions_),
      v1_contains_reserve_(other.v1_contains_reserve_) {}

Library::~Library() {
  if (loaded_ != nullptr) ::dlclose(loaded_);
}

void Library::resolve() {
  find(loaded_, functions_.init_with_flags, {"nvmlInitWithFlags"});
  find(loaded_, functions_.init, {"nvmlInit_v2", "nvmlInit"});
  find(loaded_, functions_.shutdown, {"nvmlShutdown"});
  find(loaded_, functions_.error_string, {"nvmlErrorString"});
  find(loaded_, functions_.device_count, {"nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"});
  find(loaded_, functions_.device_by_index, {"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"});
  find(loaded_, functions_.name, {"nvmlDeviceGetName"});
  find(loaded_, functions_.uuid, {"nvmlDeviceGetUUID"});
  find(loaded_, functions_.pci_info, {"nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2", "nvmlDeviceGetPciInfo"});
  find(loaded_, functions_.memory_v1, {"nvmlDeviceGetMemoryInfo"});
  find(loaded_, functions_.memory_v2, {"nvmlDeviceGetMemoryInfo_v2"});
  resolve_process_lists(WideEntries::No);
  find(loaded_, functions_.mig_mode, {"nvmlDeviceGetMigMode"});
  find(loaded_, functions_.mig_count, {"nvmlDeviceGetMaxMigDeviceCount"});
  find(loaded_, functions_.mig_handle, {"nvmlDeviceGetMigDeviceHandleByIndex"});
  find(loaded_, functions_.device_by_pci_address,
       {"nvmlDeviceGetHandleByPciBusId_v2", "nvmlDeviceGetHandleByPciBusId"});
  find(loaded_, functions_.driver_version, {"nvmlSystemGetDriverVersion"});
  find(loaded_, functions_.event_set_create, {"nvmlEventSetCreate"});
  find(loaded_, functions_.event_set_free, {"nvmlEventSetFree"});
  find(loaded_, functions_.register_events, {"nvmlDeviceRegisterEvents"});
  find(loaded_, functions_.event_set_wait, {"nvmlEventSetWait_v2"});
}

void Library::resolve_process_lists(WideEntries wide) {
  resolve_process_list("nvmlDeviceGetComputeRunningProcesses", wide, functions_.compute);
  resolve_process_list("nvmlDeviceGetGraphicsRunningProcesses", wide, functions_.graphics);
  resolve_process_list("nvmlDeviceGetMPSComputeRunningProcesses", wide, functions_.mps);
}

void Library::resolve_process_list(const std::string& name, WideEntries wide, ProcessList& list) const {
  list = {};
  if (wide == WideEntries::No) find(loaded_, list.call, {(name + "_v3").c_str()});
  if (list.call == nullptr) find(loaded_, list.call, {(name + "_v2").c_str()});
  if (list.call != nullptr) return;
  list.layout = EntryLayout::V1;
  find(loaded_, list.call, {name.c_str()});
}

std::string Library::missing() const {
  std::string names;
  const auto require = [&](bool present, const char* name) {
    if (!present) names += (names.empty() ? "" : ", ") + std::string(name);
  };
  require(functions_.init_with_flags != nullptr || functions_.init != nullptr, "nvmlInit");
  require(functions_.shutdown != nullptr, "nvmlShutdown");
  require(functions_.device_count != nullptr, "nvmlDeviceGetCount");
  require(functions_.device_by_index != nullptr, "nvmlDeviceGetHandleByIndex");
  require(functions_.memory_v1 != nullptr || functions_.memory_v2 != nullptr, "nvmlDeviceGetMemoryInfo");
  return names;
}

Code Library::init() {
  const auto code = functions_.init_with_flags != nullptr ? functions_.init_with_flags(0) : functions_.init();
  if (code != Code::Success) return code;
  const auto version = driver_version().value_or("");
  if (has_wide_entries(version)) resolve_process_lists(WideEntries::BehindV3);
  v1_contains_reserve_ = contains_reserve(version);
  return code;
}

std::string Library::describe(Code code) const {
  const auto* words = functions_.error_string != nullptr ? functions_.error_string(code) : nullptr;
  return nvml::describe(code, words != nullptr ? words : "");
}

Answer<unsigned> Library::device_count() const {
  unsigned count = 0;
  const auto code = functions_.device_count(&count);
  return answer(code, count);
}

Answer<Handle> Library::device(unsigned index) const {
  Handle device = nullptr;
  const auto code = functions_.device_by_index(index, &device);
  return answer(code, device);
}

Answer<Handle> Library::device_at(const std::string& pci_address) const {
  Handle device = nullptr;
  const auto code = call(functions_.device_by_pci_address, pci_address.c_str(), &device);
  return answer(code, device);
}

Answer<std::string> Library::driver_version() const {
  std::array<char, kLongestText + 1> buffer{};
  const auto code = call(functions_.driver_version, buffer.data(), static_cast<unsigned>(kLongestText));
  return answer(code, std::string(buffer.data()));
}

Answer<std::string> Library::name(Handle device) const { return text(functions_.name, device); }

Answer<std::string> Library::uuid(Handle device) const { return text(functions_.uuid, device); }

Answer<std::string> Library::pci_address(Handle device) const {
  PciInfo info;
  const auto code = call(functions_.pci_info, device, &info);
  return answer(code, format_text("{:08X}:{:02X}:{:02X}.0", info.domain, info.bus, info.device));
}

Answer<MemoryV1> Library::memory_v1(Handle device) const {
  MemoryV1 memory;
  const auto code = call(functions_.memory_v1, device, &memory);
  return answer(code, memory);
}

Answer<MemoryV2> Library::memory_v2(Handle device) const {
  MemoryV2 memory;
  const auto code = call(functions_.memory_v2, device, &memory);
  return answer(code, memory);
}

const Library::ProcessList& Library::list_of(ProcessListKind kind) const {
  switch (kind) {
    case ProcessListKind::Compute: return functions_.compute;
    case ProcessListKind::Graphics: return functions_.graphics;
    case ProcessListKind::Mps: return functions_.mps;
  }
  return functions_.compute;
}

Library::ProcessListing Library::processes(ProcessListKind kind, Handle device, unsigned capacity) const {
  const auto& list = list_of(kind);
  ProcessListing listing{Code::FunctionNotFound, capacity, {}};
  if (list.layout == EntryLayout::V2) {
    listing.entries.resize(capacity);
    listing.code = call(list.call, device, &listing.count, static_cast<void*>(listing.entries.data()));
  } else {
    std::vector<ProcessV1> old(capacity);
    listing.code = call(list.call, device, &listing.count, static_cast<void*>(old.data()));
    for (const auto& entry : old) listing.entries.push_back({entry.pid, entry.used, kNoInstance, kNoInstance});
  }
  const auto filled = listing.code == Code::Success ? std::min(listing.count, capacity) : 0U;
  listing.entries.resize(filled);
  return listing;
}

bool Library::mig_enabled(Handle device) const {
  unsigned current = 0;
  unsigned pending = 0;
  return call(functions_.mig_mode, device, &current, &pending) == Code::Success && current == kMigEnabled;
}

Answer<unsigned> Library::mig_slots(Handle device) const {
  unsigned count = 0;
  const auto code = call(functions_.mig_count, device, &count);
  return answer(code, count);
}

Answer<Handle> Library::mig_instance(Handle device, unsigned slot) const {
  Handle instance = nullptr;
  const auto code = call(functions_.mig_handle, device, slot, &instance);
  return answer(code, instance);
}

Answer<EventSet> Library::create_event_set() const {
  EventSet set = nullptr;
  const auto code = call(functions_.event_set_create, &set);
  return answer(code, set);
}

void Library::free_event_set(EventSet set) const { (void)call(functions_.event_set_free, set); }

Code Library::register_events(Handle device, EventSet set) const {
  const auto code =
      call(functions_.register_events, device, kEventXid | kEventEccUncorrected | kEventEccCorrected, set);
  // A GPU without ECC refuses the three together.
  return code == Code::NotSupported ? call(functions_.register_events, device, kEventXid, set) : code;
}

Answer<EventData> Library::next_event(EventSet set) const {
  EventData event;
  const auto code = call(functions_.event_set_wait, set, &event, 0U);
  return answer(code, event);
}

}  // namespace dualgpuopt::memory::nvml
