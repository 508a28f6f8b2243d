#include "fakes/nvml/story/gpu_defaults.h"

#include "core/format.h"

namespace nvml_fake {
namespace {

using dualgpuopt::memory::format_text;
using namespace dualgpuopt::memory::literals;

struct Model {
  const char* name;
  Bytes total, reserved;
};

Model model_of(GpuKind kind) {
  switch (kind) {
    case GpuKind::Mig: return {"NVIDIA A100-SXM4-80GB", 80_GiB, 640_MiB};
    case GpuKind::Gb10: return {"NVIDIA GB10", 119_GiB, 0};
    case GpuKind::Wsl: return {"NVIDIA GeForce RTX 4070", 12_GiB, 256_MiB};
    default: return {"NVIDIA GeForce RTX 4090", 24_GiB, 512_MiB};
  }
}

}  // namespace

Gpu default_gpu(GpuKind kind, unsigned index) {
  const auto model = model_of(kind);
  Gpu gpu;
  gpu.kind = kind;
  gpu.part.name = model.name;
  gpu.part.uuid = format_text("GPU-{:08x}-0000-4000-8000-{:012x}", 0xf00d0000U + index, index);
  gpu.part.total = model.total;
  gpu.part.reserved = model.reserved;
  gpu.pci = {0, 1 + index, 0};
  gpu.ecc = kind == GpuKind::Mig;
  gpu.telemetry = {41 + index, 75'000, 350'000, 35, 20, 30};
  return gpu;
}

Instance default_instance(const Gpu& gpu, unsigned index, unsigned slot) {
  Instance instance;
  instance.slot = slot;
  instance.gpu_instance = 7 + slot;
  instance.part.name = gpu.part.name + " MIG 1g.10gb";
  instance.part.uuid = format_text("MIG-{:08x}-{:04x}-4000-8000-{:012x}", 0xf00d0000U + index, slot, index);
  instance.part.total = 9728_MiB;
  return instance;
}

}  // namespace nvml_fake
