#include "sources/nvml_devices.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "core/format.h"
#include "sources/pci_gpus.h"

namespace dualgpuopt::memory::nvml {
namespace {

std::optional<std::string> known(Answer<std::string> text) {
  if (!text || text->empty()) return std::nullopt;
  return std::move(*text);
}

constexpr auto kNameless = "the driver does not say which one it is";

void make_unreadable(NvmlDevice& device, std::string reason) {
  device.handle = nullptr;
  device.reason = std::move(reason);
}

bool is_whole_gpu(const NvmlDevice& device) { return device.device.kind != DeviceKind::Mig; }

/// Everything of a Device that the driver tells, without its place in the list.
Device describe_device(const Library& library, Handle handle, DeviceKind kind) {
  Device device;
  device.name = library.name(handle).value_or("");
  device.uuid = known(library.uuid(handle));
  device.pci_address = known(library.pci_address(handle));
  device.vendor = Vendor::Nvidia;
  device.kind = kind;
  return device;
}

NvmlDevice nameless_gpu(unsigned index, std::string reason) {
  NvmlDevice gpu;
  gpu.index = index;
  gpu.device.vendor = Vendor::Nvidia;
  gpu.reason = std::move(reason);
  return gpu;
}

/// A GPU without memory of its own shares the host's: the driver counts none for it.
DeviceKind kind_of_gpu(const Library& library, Handle handle, MemoryCall& first) {
  if (library.mig_enabled(handle)) return DeviceKind::Partitioned;
  const auto memory = read_memory(library, handle, first);
  return !memory && memory.error().code() == ErrorCode::Unsupported ? DeviceKind::Integrated : DeviceKind::Gpu;
}

NvmlDevice found_gpu(const Library& library, unsigned index, Answer<Handle> handle) {
  if (!handle) return nameless_gpu(index, library.describe(handle.error()));
  NvmlDevice gpu;
  gpu.index = index;
  gpu.handle = *handle;
  gpu.device = describe_device(library, *handle, DeviceKind::Gpu);
  return gpu;
}

/// The instances of a partitioned GPU. Slots may be empty, with others after them.
std::vector<NvmlDevice> look_for_instances(const Library& library, const NvmlDevice& gpu) {
  std::vector<NvmlDevice> instances;
  if (gpu.handle == nullptr || gpu.device.kind != DeviceKind::Partitioned) return instances;
  const auto slots = library.mig_slots(gpu.handle).value_or(0);
  for (unsigned slot = 0; slot < slots; ++slot) {
    const auto handle = library.mig_instance(gpu.handle, slot);
    if (!handle) continue;
    NvmlDevice instance;
    instance.device = describe_device(library, *handle, DeviceKind::Mig);
    instance.device.parent_key = gpu.device.uuid ? gpu.device.uuid : gpu.device.pci_address;
    if (instance.device.name.empty()) instance.device.name = gpu.device.name;
    instance.index = gpu.index;
    instance.handle = *handle;
    if (!instance.device.uuid) make_unreadable(instance, kNameless);  // handles come to mean other instances
    instances.push_back(std::move(instance));
  }
  return instances;
}

/// The GPU with its kind, and its instances.
std::vector<NvmlDevice> looked_into(const Library& library, NvmlDevice gpu) {
  gpu.device.kind = kind_of_gpu(library, gpu.handle, gpu.memory_call);
  auto instances = look_for_instances(library, gpu);
  instances.insert(instances.begin(), std::move(gpu));
  return instances;
}

/// Finds a GPU's handle: by index or by its place on the bus.
using FindHandle = std::function<Answer<Handle>(const Library&)>;

/// One GPU and its instances, without waiting for it for ever. Who it is comes first, so that one that hangs later is
/// known at least.
std::vector<NvmlDevice> look_up(const std::shared_ptr<const Session>& session, unsigned index, const FindHandle& find,
                                Lookups& lookups) {
  const auto identified = lookups.run(2 * index, [session, index, find] {
    const auto& library = session->library();
    return std::vector{found_gpu(library, index, find(library))};
  });
  if (!identified) {
    return {nameless_gpu(index, format_text("the driver has not answered for {} when asked which GPU this is",
                                            format_duration(lookups.patience())))};
  }
  const auto& gpu = identified->front();
  if (gpu.handle == nullptr) return *identified;
  return lookups.run(2 * index + 1, [session, gpu] { return looked_into(session->library(), gpu); })
      .value_or(*identified);
}

std::vector<NvmlDevice> look_up_on_bus(const std::shared_ptr<const Session>& session, unsigned index,
                                       const PciGpu& place, Lookups& lookups) {
  const auto find = [address = place.address](const Library& library) { return library.device_at(address); };
  auto found = place.state == PowerState::Suspended ? std::vector{nameless_gpu(index, kAsleep)}
                                                    : look_up(session, index, find, lookups);
  found.front().device.pci_address = place.address;
  return found;
}

/// Every GPU with its instances behind it.
Result<std::vector<NvmlDevice>> look_up_all(const std::shared_ptr<const Session>& session,
                                            const std::vector<PciGpu>& only, Lookups& lookups) {
  std::vector<NvmlDevice> all;
  const auto add = [&all](std::vector<NvmlDevice> found) {
    std::move(found.begin(), found.end(), std::back_inserter(all));
  };
  for (unsigned index = 0; index < only.size(); ++index) add(look_up_on_bus(session, index, only[index], lookups));
  if (!only.empty()) return all;
  const auto count = session->library().device_count();
  if (!count) return fail(ErrorCode::Unavailable, session->library().describe(count.error()));
  for (unsigned index = 0; index < *count; ++index) {
    add(look_up(
        session, index, [index](const Library& library) { return library.device(index); }, lookups));
  }
  return all;
}

void note_which_may_suspend(std::vector<NvmlDevice>& gpus, const std::vector<PciGpu>& bus) {
  for (auto& gpu : gpus) {
    gpu.may_suspend = std::any_of(bus.begin(), bus.end(), [&](const PciGpu& place) {
      return place.may_suspend && place.address == gpu.device.pci_address;
    });
  }
}

/// MIG instances share their GPU's address.
bool has_identity(const NvmlDevice& device) {
  return device.device.uuid || (is_whole_gpu(device) && device.device.pci_address);
}

bool is_same(const NvmlDevice& known, const NvmlDevice& found) {
  if (is_whole_gpu(known) != is_whole_gpu(found)) return false;
  if (known.device.uuid && found.device.uuid) return known.device.uuid == found.device.uuid;
  return is_whole_gpu(known) && known.device.pci_address && known.device.pci_address == found.device.pci_address;
}

/// Two that nobody can tell apart, since neither said who it is.
bool is_another_nameless_one(const NvmlDevice& known, const NvmlDevice& found) {
  return is_whole_gpu(known) == is_whole_gpu(found) && !has_identity(known) && !has_identity(found);
}

/// Of use while there are as many GPUs as before: the driver's order is that of the bus.
bool has_the_index_of(const NvmlDevice& known, const NvmlDevice& found) {
  if (!is_whole_gpu(known) || !is_whole_gpu(found)) return is_another_nameless_one(known, found);
  return known.index == found.index && !(has_identity(known) && has_identity(found));
}

std::size_t count_gpus(const std::vector<NvmlDevice>& devices) {
  return static_cast<std::size_t>(std::count_if(devices.begin(), devices.end(), is_whole_gpu));
}

/// Gives a device its place and, by that, its identity.
void place(NvmlDevice& device, int gpu) {
  const auto by_index = format_text("nvml-{}", gpu);
  const auto address = is_whole_gpu(device) ? device.device.pci_address : std::nullopt;
  device.device.gpu = gpu;
  device.device.key = device.device.uuid.value_or(address.value_or(by_index));
}

/// Puts a device that was found in the place of the one that it was before. What a failed look-up does not tell is
/// kept, and so is the key under which it is known in this run. Numbers are never put under a name without a proof.
void take_place(NvmlDevice& known, NvmlDevice found) {
  if (found.handle == nullptr) return make_unreadable(known, std::move(found.reason));
  if (has_identity(known) && !has_identity(found)) return make_unreadable(known, kNameless);
  found.device.gpu = known.device.gpu;
  found.device.key = std::move(known.device.key);
  known = std::move(found);
}

/// What was known, while it is joined with what was found.
class Joining {
 public:
  Joining(std::vector<NvmlDevice> known, std::size_t gpus_found)
      : as_many_gpus_(count_gpus(known) == gpus_found), joined_(std::move(known)), is_there_(joined_.size(), false) {}

  [[nodiscard]] bool as_many_gpus() const { return as_many_gpus_; }

  /// Whether one of those known before, and not found until now, matches; then `found` has moved into its place.
  bool take(NvmlDevice& found, bool (*matches)(const NvmlDevice& known, const NvmlDevice& found)) {
    for (std::size_t i = 0; i < is_there_.size(); ++i) {
      if (is_there_[i] || !matches(joined_[i], found)) continue;
      is_there_[i] = true;
      take_place(joined_[i], std::move(found));
      return true;
    }
    return false;
  }
  void add(NvmlDevice& found) {
    place(found, static_cast<int>(joined_.size()));
    joined_.push_back(std::move(found));
  }
  [[nodiscard]] std::vector<NvmlDevice> finish() && {
    for (std::size_t i = 0; i < is_there_.size(); ++i) {
      if (!is_there_[i]) make_unreadable(joined_[i], "the driver does not list it any more");
    }
    return std::move(joined_);
  }

 private:
  bool as_many_gpus_;
  std::vector<NvmlDevice> joined_;
  std::vector<bool> is_there_;  ///< Of those known before.
};

}  // namespace

Result<std::vector<NvmlDevice>> look_for_devices(const std::shared_ptr<const Session>& session,
                                                 const std::filesystem::path& root, WakePolicy wake, Lookups& lookups) {
  const auto bus = wake == WakePolicy::Wake ? std::vector<PciGpu>() : nvidia_pci_gpus(root);
  const bool some_sleep =
      std::any_of(bus.begin(), bus.end(), [](const PciGpu& gpu) { return gpu.state == PowerState::Suspended; });
  auto devices = look_up_all(session, some_sleep ? bus : std::vector<PciGpu>(), lookups);
  if (!devices) return devices;
  std::stable_partition(devices->begin(), devices->end(), is_whole_gpu);
  note_which_may_suspend(*devices, bus);
  return devices;
}

std::vector<NvmlDevice> join_devices(std::vector<NvmlDevice> before, std::vector<NvmlDevice> found) {
  Joining joining(std::move(before), count_gpus(found));
  std::vector<NvmlDevice> strangers;
  for (auto& device : found) {
    if (!joining.take(device, is_same)) strangers.push_back(std::move(device));
  }
  for (auto& device : strangers) {
    if (!joining.take(device, joining.as_many_gpus() ? has_the_index_of : is_another_nameless_one)) joining.add(device);
  }
  return std::move(joining).finish();
}

bool is_same_device(const Library& library, const NvmlDevice& device) {
  if (device.device.kind != DeviceKind::Mig || !device.device.uuid || device.handle == nullptr) return true;
  return library.uuid(device.handle) == *device.device.uuid;
}

}  // namespace dualgpuopt::memory::nvml
