#include "sources/pci_gpus.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <string_view>

namespace dualgpuopt::memory {
namespace {

constexpr auto kDevices = "sys/bus/pci/devices";
constexpr std::string_view kNvidia = "0x10de";
/// Display controllers: VGA compatible, 3D and others.
constexpr std::string_view kDisplayClass = "0x03";
constexpr std::size_t kDomainDigits = 8;

std::string first_word(const std::filesystem::path& file) {
  std::ifstream input(file);
  std::string word;
  input >> word;
  return word;
}

/// "0000:0a:00.0" of sysfs as NVML writes it.
std::string nvml_address(const std::string& name) {
  auto address = name;
  std::transform(address.begin(), address.end(), address.begin(), [](unsigned char c) { return std::toupper(c); });
  const auto domain = std::min(address.find(':'), kDomainDigits);
  return std::string(kDomainDigits - domain, '0') + address;
}

/// And back. The kernel writes at least four digits of the domain, in lower case.
std::string sysfs_name(const std::string& address) {
  auto name = address.starts_with("0000") ? address.substr(4) : address;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

PowerState state_in(const std::filesystem::path& device) {
  const auto status = first_word(device / "power/runtime_status");
  return status == "suspended" || status == "suspending" ? PowerState::Suspended : PowerState::Awake;
}

}  // namespace

std::vector<PciGpu> nvidia_pci_gpus(const std::filesystem::path& root) {
  std::vector<PciGpu> gpus;
  std::error_code problem;
  const std::filesystem::directory_iterator end;
  for (std::filesystem::directory_iterator entry(root / kDevices, problem); !problem && entry != end;
       entry.increment(problem)) {
    const auto& device = entry->path();
    if (first_word(device / "vendor") != kNvidia || !first_word(device / "class").starts_with(kDisplayClass)) continue;
    gpus.push_back(
        {nvml_address(device.filename().string()), state_in(device), first_word(device / "power/control") == "auto"});
  }
  std::sort(gpus.begin(), gpus.end(), [](const PciGpu& a, const PciGpu& b) { return a.address < b.address; });
  return gpus;
}

PowerState power_state(const std::filesystem::path& root, const std::string& address) {
  return state_in(root / kDevices / sysfs_name(address));
}

}  // namespace dualgpuopt::memory
