// The test's side of the stand-in NVML: sets the stage, and looks at what was called.
#pragma once

#include <dlfcn.h>

#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/units.h"
#include "fakes/nvml/nvml_fake.h"

namespace dualgpuopt::memory {

/// Whose functions the stand-in has; the names are those of NVIDIA's driver branches.
enum class NvmlGeneration { R510, R470, R418, R535_43, R550, R580 };

inline std::filesystem::path fake_nvml_path(NvmlGeneration generation = NvmlGeneration::R510) {
  const auto library = [](const char* name) {
    return std::filesystem::path(DUALGPUOPT_BINARY_DIR "/tests/fakes") / name / "libnvidia-ml.so.1";
  };
  switch (generation) {
    case NvmlGeneration::R418: return library("nvml-418");
    case NvmlGeneration::R470: return library("nvml-470");
    case NvmlGeneration::R535_43: return library("nvml-535.43");
    case NvmlGeneration::R550: return library("nvml-550");
    case NvmlGeneration::R580: return library("nvml-580");
    default: return library("nvml-510");
  }
}

inline NvmlFakeDevice fake_gpu(const std::string& uuid, Bytes total, Bytes reserved, Bytes used) {
  NvmlFakeDevice gpu{};
  std::strcpy(gpu.name, "Stand-in GPU");
  std::strcpy(gpu.uuid, uuid.c_str());
  gpu.total = total;
  gpu.reserved = reserved;
  gpu.used = used;
  gpu.free = total - reserved - used;
  return gpu;
}

inline NvmlFakeList fake_list(std::initializer_list<NvmlFakeProcess> processes) {
  NvmlFakeList list{};
  for (const auto& process : processes) list.processes[list.count++] = process;
  return list;
}

/// A list of processes 1, 2, … with as many bytes each.
inline NvmlFakeList fake_list_of(unsigned count) {
  NvmlFakeList list{};
  list.count = count;
  for (unsigned i = 0; i < kNvmlFakeProcesses; ++i) list.processes[i] = {i + 1, i + 1, ~0U, ~0U};
  return list;
}

/// Keeps one of the stand-in libraries loaded, in its first state with these GPUs and without a scenario.
class FakeNvml {
 public:
  explicit FakeNvml(std::initializer_list<NvmlFakeDevice> gpus = {}, NvmlGeneration generation = NvmlGeneration::R510)
      : path_(fake_nvml_path(generation)), loaded_(::dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (loaded_ == nullptr) throw std::runtime_error(::dlerror());
    control_ = reinterpret_cast<NvmlFakeControl>(::dlsym(loaded_, kNvmlFakeControl));
    load_ = reinterpret_cast<NvmlFakeLoad>(::dlsym(loaded_, kNvmlFakeLoad));
    use_clock_ = reinterpret_cast<NvmlFakeUseClock>(::dlsym(loaded_, kNvmlFakeUseClock));
    calls_of_ = reinterpret_cast<NvmlFakeCallsOf>(::dlsym(loaded_, kNvmlFakeCallsOf));
    load_(nullptr);
    use_real_time();
    change([&](NvmlFakeState& state) {
      std::memset(&state, 0, sizeof(state));
      for (const auto& gpu : gpus) state.devices[state.gpus++] = gpu;
    });
  }
  FakeNvml(const FakeNvml&) = delete;
  FakeNvml& operator=(const FakeNvml&) = delete;
  ~FakeNvml() { ::dlclose(loaded_); }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Runs `change(state)` while no call does.
  template <typename Change>
  void change(Change change) const {
    control_([](NvmlFakeState* state, void* context) { (*static_cast<Change*>(context))(*state); }, &change);
  }
  /// What `look(state)` gives.
  template <typename Look>
  [[nodiscard]] auto look(Look look) const {
    std::invoke_result_t<Look, NvmlFakeState&> seen{};
    change([&](NvmlFakeState& state) { seen = look(state); });
    return seen;
  }

  /// Lets a scenario (docs/nvml-stand-in.md) set the state before each call from now on.
  void tell(const std::string& toml) const {
    if (const auto* problem = load_(toml.c_str())) throw std::runtime_error(problem);
  }
  /// The stand-in's time is this clock's from now on, hangs included. The clock must stay while the library is used.
  void use_clock(const Clock& clock) const {
    use_clock_(
        [](void* context) -> long long { return static_cast<const Clock*>(context)->now().time_since_epoch().count(); },
        const_cast<Clock*>(&clock));
  }
  void use_real_time() const { use_clock_(nullptr, nullptr); }

  /// How often an exported function was called since the library was loaded, by its exact name.
  [[nodiscard]] unsigned calls_of(const char* symbol) const { return calls_of_(symbol); }
  [[nodiscard]] unsigned calls(NvmlFakeCall call) const {
    return look([&](NvmlFakeState& state) { return state.calls[call]; });
  }
  /// From now on the call returns this code, for one device or for all.
  void force(NvmlFakeCall call, int code) const {
    change([&](NvmlFakeState& state) { state.forced[call] = code; });
  }
  void force(unsigned device, NvmlFakeCall call, int code) const {
    change([&](NvmlFakeState& state) { state.devices[device].forced[call] = code; });
  }

 private:
  std::filesystem::path path_;
  void* loaded_;
  NvmlFakeControl control_ = nullptr;
  NvmlFakeLoad load_ = nullptr;
  NvmlFakeUseClock use_clock_ = nullptr;
  NvmlFakeCallsOf calls_of_ = nullptr;
};

}  // namespace dualgpuopt::memory
