// NVML as a library: opened at run time, with the names its functions had over the years.
#pragma once

#include <filesystem>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "dualgpuopt/memory/core/error.h"
#include "sources/nvml_abi.h"

namespace dualgpuopt::memory::nvml {

/// What a call gave, or the code with which it failed.
template <typename Value>
using Answer = tl::expected<Value, Code>;

enum class ProcessListKind { Compute, Graphics, Mps };

/// The library in this process's memory: dlopen, dlsym, dlclose, and one method a call. Where the library lacks a
/// function the answer is FunctionNotFound, as from a driver that lacks it. Not thread-safe, like its one user; every
/// call may block as long as the driver does.
class Library {
 public:
  /// Opens `file`, or libnvidia-ml.so.1 by the system's search path if that is empty. Does not initialise NVML. Errors:
  /// Unavailable with the loader's words; Unsupported when functions are missing without which nothing can be read.
  [[nodiscard]] static Result<Library> open(const std::filesystem::path& file);

  Library(Library&& other) noexcept;
  Library& operator=(Library&&) = delete;
  ~Library();

  /// Initialises NVML, and chooses the calls that this driver's version does not garble.
  [[nodiscard]] Code init();
  // NOLINTNEXTLINE(modernize-use-nodiscard): where it is called at the end, nothing follows from the code
  Code shutdown() const { return functions_.shutdown(); }
  /// describe() with the library's own text.
  [[nodiscard]] std::string describe(Code code) const;

  /// Counts GPUs that may not be looked up, too.
  [[nodiscard]] Answer<unsigned> device_count() const;
  [[nodiscard]] Answer<Handle> device(unsigned index) const;
  /// By an address as pci_address() gives it. Touches no other GPU, as a look-up by index may.
  [[nodiscard]] Answer<Handle> device_at(const std::string& pci_address) const;
  [[nodiscard]] Answer<std::string> driver_version() const;
  [[nodiscard]] Answer<std::string> name(Handle device) const;
  [[nodiscard]] Answer<std::string> uuid(Handle device) const;
  /// "00000000:01:00.0", as the driver's tools print it.
  [[nodiscard]] Answer<std::string> pci_address(Handle device) const;

  /// Whether memory_v1() counts the driver's own reserve as used, as drivers do since R510. Older ones leave it out of
  /// used and of total. A driver that does not tell its version is taken for a newer one.
  [[nodiscard]] bool v1_contains_reserve() const { return v1_contains_reserve_; }
  [[nodiscard]] Answer<MemoryV1> memory_v1(Handle device) const;
  [[nodiscard]] Answer<MemoryV2> memory_v2(Handle device) const;

  /// One call for a process list with room for `capacity` entries. With InsufficientSize, `count` is how many there
  /// are; with Success, `entries` holds them, entries of the old form widened to the new one.
  struct ProcessListing {
    Code code = Code::Success;
    unsigned count = 0;
    std::vector<ProcessV2> entries;
  };
  [[nodiscard]] ProcessListing processes(ProcessListKind kind, Handle device, unsigned capacity) const;

  [[nodiscard]] bool mig_enabled(Handle device) const;
  /// How many slots for MIG instances there are; many may be empty.
  [[nodiscard]] Answer<unsigned> mig_slots(Handle device) const;
  /// NotFound for an empty slot.
  [[nodiscard]] Answer<Handle> mig_instance(Handle device, unsigned slot) const;

  [[nodiscard]] Answer<EventSet> create_event_set() const;
  void free_event_set(EventSet set) const;
  /// Errors and Xids of the device go to the set from now on.
  [[nodiscard]] Code register_events(Handle device, EventSet set) const;
  /// The next event that is there already; Timeout if there is none.
  [[nodiscard]] Answer<EventData> next_event(EventSet set) const;

 private:
  /// The layout of a list's entries is known by the name under which the function was found.
  enum class EntryLayout { V1, V2 };
  struct ProcessList {
    ProcessesFunction call = nullptr;
    EntryLayout layout = EntryLayout::V2;
  };

  /// Null where the library has no such function.
  struct Functions {
    InitWithFlagsFunction init_with_flags = nullptr;
    InitFunction init = nullptr;
    InitFunction shutdown = nullptr;
    ErrorStringFunction error_string = nullptr;
    CountFunction device_count = nullptr;
    HandleByIndexFunction device_by_index = nullptr;
    HandleByTextFunction device_by_pci_address = nullptr;
    SystemTextFunction driver_version = nullptr;
    TextFunction name = nullptr;
    TextFunction uuid = nullptr;
    PciInfoFunction pci_info = nullptr;
    MemoryV1Function memory_v1 = nullptr;
    MemoryV2Function memory_v2 = nullptr;
    ProcessList compute;
    ProcessList graphics;
    ProcessList mps;
    MigModeFunction mig_mode = nullptr;
    MigCountFunction mig_count = nullptr;
    MigHandleFunction mig_handle = nullptr;
    EventSetCreateFunction event_set_create = nullptr;
    EventSetFreeFunction event_set_free = nullptr;
    RegisterEventsFunction register_events = nullptr;
    EventSetWaitFunction event_set_wait = nullptr;
  };

  explicit Library(void* loaded) : loaded_(loaded) {}
  enum class WideEntries { No, BehindV3 };
  void resolve();
  void resolve_process_lists(WideEntries wide);
  void resolve_process_list(const std::string& name, WideEntries wide, ProcessList& list) const;
  [[nodiscard]] const ProcessList& list_of(ProcessListKind kind) const;
  [[nodiscard]] std::string missing() const;

  void* loaded_;
  Functions functions_;
  bool v1_contains_reserve_ = true;
};

}  // namespace dualgpuopt::memory::nvml
