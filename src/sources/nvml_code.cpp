#include "sources/nvml_code.h"

#include "core/format.h"

namespace dualgpuopt::memory::nvml {

std::string_view explain(Code code) {
  switch (code) {
    case Code::Success: return "the call succeeded";
    case Code::Uninitialized: return "NVML is not initialised in this process; after a fork, open it again";
    case Code::InvalidArgument: return "the driver does not accept the device or an argument";
    case Code::NotSupported: return "this device or driver cannot tell";
    case Code::NoPermission:
      return "this user may not ask for it; run as a user with access to the device, or give the container access to "
             "it";
    case Code::AlreadyInitialized: return "NVML was initialised before";
    case Code::NotFound: return "there is no such device or object";
    case Code::InsufficientSize: return "the answer is larger than the space for it";
    case Code::InsufficientPower: return "a power cable is missing; check the GPU's external power connectors";
    case Code::DriverNotLoaded:
      return "the NVIDIA kernel module is not loaded; load it with `modprobe nvidia`, or install the driver for the "
             "running kernel";
    case Code::Timeout: return "the driver did not answer in time";
    case Code::IrqIssue: return "the kernel found a problem with the GPU's interrupts; see its log";
    case Code::LibraryNotFound: return "a library of the driver is missing; install the driver again";
    case Code::FunctionNotFound: return "the installed driver does not know this call; a newer one may";
    case Code::CorruptedInforom: return "the GPU's information memory is damaged; ask its vendor";
    case Code::GpuIsLost:
      return "the GPU does not answer any more, it has fallen off the bus or become inaccessible; reset it with "
             "`nvidia-smi --gpu-reset`, or reboot";
    case Code::ResetRequired: return "the GPU must be reset before it can be used: `nvidia-smi --gpu-reset`, or reboot";
    case Code::OperatingSystem: return "the operating system or a security policy blocked the request";
    case Code::VersionMismatch:
      return "the driver's library and its kernel module have different versions, as after an upgrade of the driver; "
             "reboot, or reload the module";
    case Code::InUse: return "another client is using the device";
    case Code::Memory: return "there is not enough memory to answer";
    case Code::NoData: return "there are no data";
    case Code::VgpuEcc: return "the request is not possible while ECC is enabled";
    case Code::InsufficientResources: return "the driver has no resources left";
    case Code::FrequencyNotSupported: return "the frequency is not supported";
    case Code::ArgumentVersionMismatch: return "the installed driver does not know this version of the call";
    case Code::Deprecated: return "the installed driver no longer has this call";
    case Code::NotReady: return "the device is not ready yet";
    case Code::GpuNotFound: return "no GPU was found; a container needs to be started with `--gpus all` or the like";
    case Code::InvalidState: return "the device is in a state that does not allow the request";
    case Code::ResetTypeNotSupported: return "this kind of reset is not supported";
    case Code::Unknown:
      return "the driver does not say what is wrong; see the kernel's log for Xid messages, and restart the container "
             "if this is one (`systemctl daemon-reload` takes its devices away)";
  }
  return "the driver gives no explanation for this code";
}

std::string describe(Code code, std::string_view driver_text) {
  const auto number = static_cast<int>(code);
  if (driver_text.empty()) return format_text("NVML code {}: {}", number, explain(code));
  return format_text("{} (NVML code {}): {}", driver_text, number, explain(code));
}

}  // namespace dualgpuopt::memory::nvml
