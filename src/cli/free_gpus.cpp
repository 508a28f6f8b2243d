#include "cli/free_gpus.h"

#include <nlohmann/json.hpp>

#include "cli/describe.h"
#include "core/format.h"

namespace dualgpuopt::memory::cli {
namespace {

using Json = nlohmann::ordered_json;

Result<FreeGpu> free_of(const DeviceSnapshot& device) {
  const auto gpu = device.device->gpu;
  if (device.status != DeviceStatus::Ok || !device.reading.ok()) {
    return fail(ErrorCode::Unavailable,
                format_text("--free: GPU {} is {}: {}", gpu, to_string(device.status), device.reason));
  }
  const auto free = device.reading.memory->free;
  if (free) return FreeGpu{gpu, device.device->name, *free};
  return fail(ErrorCode::Unavailable, format_text("--free: of GPU {} it is not known what is free", gpu));
}

}  // namespace

std::string FreeGpus::sizes() const {
  std::string sizes;
  for (const auto& gpu : gpus) sizes += format_text("{}{}B", sizes.empty() ? "" : ",", gpu.free);
  return sizes;
}

std::string FreeGpus::text() const {
  const auto label = provenance_label(provenance);
  auto text = label.empty() ? "Free now: " : label + ", free: ";
  for (const auto& gpu : gpus) {
    if (&gpu != &gpus.front()) text += "; ";
    text += format_text("GPU {} ({}) {}", gpu.gpu, gpu.name, format_bytes(gpu.free));
  }
  return text + "\n";
}

std::string FreeGpus::added_to(const std::string& json) const {
  auto record = Json::parse(json);
  auto list = Json::array();
  for (const auto& gpu : gpus) list.push_back({{"gpu", gpu.gpu}, {"name", gpu.name}, {"free_bytes", gpu.free}});
  record["free"] = {{"provenance", to_string(provenance)}, {"gpus", std::move(list)}};
  return record.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<FreeGpus> free_gpus(const Snapshot& snapshot) {
  FreeGpus found{snapshot.provenance, {}};
  for (const auto& device : snapshot.devices) {
    if (device.device->kind == DeviceKind::Partitioned) continue;
    auto free = free_of(device);
    if (!free) return fail(std::move(free.error()));
    found.gpus.push_back(*std::move(free));
  }
  if (found.gpus.empty()) return fail(ErrorCode::Unavailable, "--free: there is no GPU");
  return found;
}

}  // namespace dualgpuopt::memory::cli
