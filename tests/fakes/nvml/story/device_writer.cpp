#include "fakes/nvml/story/device_writer.h"

#include <algorithm>

#include "fakes/nvml/abi.h"

namespace nvml_fake {
namespace {

constexpr unsigned kMostSlots = 7;

int kind_of(GpuKind kind) {
  if (kind == GpuKind::Gb10) return kNvmlFakeGb10;
  return kind == GpuKind::Wsl ? kNvmlFakeWsl : kNvmlFakePlain;
}

void append(const NvmlFakeProcess& process, NvmlFakeList& list) {
  if (list.count < kNvmlFakeProcesses) list.processes[list.count++] = process;
}

}  // namespace

void write_text(const std::string& text, char (&target)[kNvmlFakeText]) {
  const auto length = std::min<std::size_t>(text.size(), kNvmlFakeText - 1);
  std::copy_n(text.begin(), length, target);
  target[length] = '\0';
}

void write_gpu(const Gpu& gpu, NvmlFakeDevice& device) {
  write_text(gpu.part.name, device.name);
  write_text(gpu.part.uuid, device.uuid);
  device.pci_domain = gpu.pci.domain;
  device.pci_bus = gpu.pci.bus;
  device.pci_device = gpu.pci.device;
  device.kind = kind_of(gpu.kind);
  device.mig_capable = device.mig_enabled = gpu.kind == GpuKind::Mig ? 1 : 0;
  device.mig_slot_count = kMostSlots;
  device.ecc_enabled = gpu.ecc ? 1 : 0;
  device.accounting = gpu.accounting ? 1 : 0;
  device.telemetry = gpu.telemetry;
}

void write_instance(const Instance& instance, const Gpu& gpu, NvmlFakeDevice& device) {
  write_gpu(gpu, device);
  write_text(instance.part.name, device.name);
  write_text(instance.part.uuid, device.uuid);
  device.mig_capable = device.mig_enabled = device.accounting = 0;
  device.gpu_instance = instance.gpu_instance;
  device.compute_instance = instance.compute_instance;
}

void clear_processes(NvmlFakeDevice& device) { device.compute.count = device.graphics.count = device.mps.count = 0; }

void write_processes(const PartUse& use, unsigned gpu_instance, unsigned compute_instance, NvmlFakeDevice& device) {
  for (const auto& holding : use.holdings) {
    const auto told = holding.memory == MemoryKnown::Yes ? holding.used : kNotAvailable;
    const NvmlFakeProcess entry{holding.pid, told, gpu_instance, compute_instance};
    if (holding.lists.compute) append(entry, device.compute);
    if (holding.lists.graphics) append(entry, device.graphics);
    if (holding.lists.mps) append(entry, device.mps);
  }
}

void write_memory(const Part& part, Bytes used, NvmlFakeDevice& device) {
  device.total = part.total;
  device.reserved = part.reserved;
  device.used = used;
  device.free = part.total - part.reserved - used;
}

void write_absurd_memory(AbsurdValues values, NvmlFakeDevice& device) {
  device.reserved = 0;
  switch (values) {
    case AbsurdValues::UsedAboveTotal: device.used = device.total + device.total / 8; break;
    case AbsurdValues::ZeroTotal: device.total = device.used = device.free = 0; break;
    case AbsurdValues::AllOnes: device.total = device.used = device.free = kNotAvailable; break;
  }
}

}  // namespace nvml_fake
