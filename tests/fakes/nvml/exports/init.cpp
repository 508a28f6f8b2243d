// Starting and ending, and what is asked of the driver as a whole.
#include <string>

#include "fakes/nvml/driver.h"
#include "fakes/nvml/generation.h"
#include "fakes/nvml/session.h"

namespace nvml_fake {
namespace {

/// The bits that a caller may set: no GPUs, no attaching, initialise by force.
constexpr unsigned kKnownFlags = 7;

Code initialise(const char* symbol) {
  Entry entry({symbol, kNvmlFakeInit});
  if (!load_from_environment()) return kUnknown;
  if (const auto code = entry.admit_init(); code != kSuccess) return code;
  ++entry.state().initialised;
  return kSuccess;
}

/// The CUDA that came with the branch: 12040 for 12.4.
int cuda_version() {
  switch (kGeneration.branch) {
    case 418: return 10010;
    case 470: return 11040;
    case 510: return 11060;
    case 535: return 12020;
    case 550: return 12040;
    default: return 13000;
  }
}

const char* words_for(int code) {
  switch (code) {
    case 0: return "Success";
    case 1: return "Uninitialized";
    case 2: return "Invalid Argument";
    case 3: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case 5: return "Already Initialized";
    case 6: return "Not Found";
    case 7: return "Insufficient Size";
    case 8: return "Insufficient External Power";
    case 9: return "Driver Not Loaded";
    case 10: return "Timeout";
    case 12: return "NVML Shared Library Not Found";
    case 13: return "Function Not Found";
    case 15: return "GPU is lost";
    case 16: return "GPU requires restart";
    case 17: return "The operating system has blocked the request.";
    case 18: return "RM has detected an NVML/RM version mismatch.";
    case 19: return "In use by another client";
    case 20: return "Insufficient Memory";
    case 21: return "No data";
    case 23: return "Insufficient Resources";
    case 25: return "The version of the argument is not supported";
    default: return "Unknown Error";
  }
}

}  // namespace
}  // namespace nvml_fake

using namespace nvml_fake;

extern "C" {

int nvmlInit() { return initialise(__func__); }

int nvmlInit_v2() { return initialise(__func__); }

int nvmlInitWithFlags(unsigned flags) { return flags > kKnownFlags ? kInvalidArgument : initialise(__func__); }

int nvmlShutdown() {
  Entry entry({__func__, kNvmlFakeShutdown});
  if (const auto code = entry.admit(); code != kSuccess) return code;
  if (--entry.state().initialised == 0) write_counts();
  return kSuccess;
}

const char* nvmlErrorString(int code) {
  const Entry entry({__func__, kNvmlFakeErrorString});
  return words_for(code);
}

int nvmlSystemGetDriverVersion(char* version, unsigned length) {
  return answer({__func__, kNvmlFakeDriverVersion}, [&](const NvmlFakeState& state) {
    return put_text(state.driver_version[0] != '\0' ? state.driver_version : kGeneration.version, version, length);
  });
}

int nvmlSystemGetNVMLVersion(char* version, unsigned length) {
  return answer({__func__, kNvmlFakeSystem}, [&](const NvmlFakeState& state) {
    const auto* driver_version = state.driver_version[0] != '\0' ? state.driver_version : kGeneration.version;
    return put_text((std::to_string(cuda_version() / 1000) + "." + driver_version).c_str(), version, length);
  });
}

int nvmlSystemGetCudaDriverVersion(int* version) {
  return answer({__func__, kNvmlFakeSystem}, [&](const NvmlFakeState&) { return put(version, cuda_version()); });
}

int nvmlSystemGetCudaDriverVersion_v2(int* version) {
  return answer({__func__, kNvmlFakeSystem}, [&](const NvmlFakeState&) { return put(version, cuda_version()); });
}

int nvmlSystemGetProcessName(unsigned pid, char* name, unsigned length) {
  return answer({__func__, kNvmlFakeSystem}, [&](const NvmlFakeState&) {
    const auto* story = driver().story;
    const auto known = story != nullptr ? story->process_name(pid, driver().time.now()) : std::string();
    return known.empty() ? kNotFound : put_text(known.c_str(), name, length);
  });
}

}  // extern "C"
