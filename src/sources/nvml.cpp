#include "dualgpuopt/memory/sources/nvml.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "sources/nvml_devices.h"
#include "sources/nvml_library.h"
#include "sources/nvml_memory.h"
#include "sources/nvml_processes.h"

namespace dualgpuopt::memory {
namespace {

/// Owns the library in its initialised state.
class NvmlSource final : public MemorySource {
 public:
  NvmlSource(nvml::Library library, const Clock& clock, ProcessTable processes)
      : library_(std::move(library)), clock_(clock), processes_(std::move(processes)) {}
  NvmlSource(const NvmlSource&) = delete;
  NvmlSource& operator=(const NvmlSource&) = delete;
  ~NvmlSource() override { library_.shutdown(); }

  [[nodiscard]] std::string_view name() const override { return "nvml"; }
  [[nodiscard]] Provenance provenance() const override { return Provenance::Driver; }
  [[nodiscard]] Result<std::vector<Device>> enumerate() override;
  [[nodiscard]] Reading read(int gpu, ReadDetail detail) override;

 private:
  [[nodiscard]] Result<nvml::NvmlDevice*> find(int gpu);
  [[nodiscard]] Result<MemoryUse> read_memory(int gpu);
  [[nodiscard]] ProcessList read_processes(int gpu, TimeStamp time);

  nvml::Library library_;
  const Clock& clock_;
  ProcessTable processes_;
  std::vector<nvml::NvmlDevice> devices_;
};

Result<std::vector<Device>> NvmlSource::enumerate() {
  auto found = nvml::enumerate_devices(library_, devices_);
  if (!found) return fail(std::move(found.error()).with_context("NVML"));
  devices_ = std::move(*found);
  std::vector<Device> devices;
  devices.reserve(devices_.size());
  for (const auto& each : devices_) devices.push_back(each.device);
  return devices;
}

/// The device if it can be asked at all.
Result<nvml::NvmlDevice*> NvmlSource::find(int gpu) {
  if (gpu < 0 || static_cast<std::size_t>(gpu) >= devices_.size()) {
    return fail(ErrorCode::Unavailable, fmt::format("NVML listed no device {}", gpu));
  }
  auto& device = devices_[static_cast<std::size_t>(gpu)];
  if (!device.handle) return fail(ErrorCode::Unavailable, library_.describe(device.handle.error()));
  if (!nvml::is_same_device(library_, device)) {
    return fail(ErrorCode::Unavailable, fmt::format("the MIG instance {} is there no more", device.device.key));
  }
  return &device;
}

Result<MemoryUse> NvmlSource::read_memory(int gpu) {
  return find(gpu).and_then(
      [this](nvml::NvmlDevice* device) { return nvml::read_memory(library_, *device->handle, device->memory_call); });
}

ProcessList NvmlSource::read_processes(int gpu, TimeStamp time) {
  const auto device = find(gpu);
  if (!device) return {time, {}, device.error().describe()};
  return nvml::read_processes(library_, *(*device)->handle, processes_, time);
}

/// Stamped before the driver is asked: however long it takes, no reading looks newer than it is. Where the memory
/// cannot be read the processes often can (GPUs that share the host's memory).
Reading NvmlSource::read(int gpu, ReadDetail detail) {
  const auto time = clock_.stamp();
  const auto memory = read_memory(gpu);
  Reading reading{gpu, time, provenance(), std::nullopt, "", nullptr};
  if (memory) {
    reading.memory = *memory;
  } else {
    reading.reason = memory.error().describe();
  }
  if (detail == ReadDetail::MemoryAndProcesses) {
    reading.processes = std::make_shared<const ProcessList>(read_processes(gpu, clock_.stamp()));
  }
  return reading;
}

}  // namespace

Result<std::unique_ptr<MemorySource>> open_nvml(const Clock& clock, NvmlOptions options) {
  auto library = nvml::Library::open(options.library);
  if (!library) return fail(std::move(library.error()));
  if (const auto code = library->init(); code != nvml::Code::Success) {
    return fail(ErrorCode::Unavailable, "NVML does not start: " + library->describe(code));
  }
  return std::make_unique<NvmlSource>(std::move(*library), clock, std::move(options.processes));
}

}  // namespace dualgpuopt::memory
