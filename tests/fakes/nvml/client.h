// A client of the stand-in, which finds its functions as programs do: by name, at run time.
#pragma once

#include <dlfcn.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "fakes/nvml/abi.h"
#include "fakes/nvml/codes.h"
#include "sources/fake_nvml.h"

namespace nvml_fake {

using dualgpuopt::memory::FakeNvml;
using dualgpuopt::memory::NvmlGeneration;
using dualgpuopt::memory::VirtualClock;

using Handle = NvmlFakeDevice*;

class Client {
 public:
  /// Starts nothing yet.
  explicit Client(NvmlGeneration generation = NvmlGeneration::R550)
      : fake({}, generation), library_(::dlopen(fake.path().c_str(), RTLD_NOW | RTLD_LOCAL)) {}
  /// Starts with a scenario, under `clock`.
  explicit Client(const std::string& scenario, NvmlGeneration generation = NvmlGeneration::R550) : Client(generation) {
    fake.use_clock(clock);
    fake.tell(scenario);
    EXPECT_EQ(call("nvmlInit"), kSuccess);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::dlclose(library_); }

  [[nodiscard]] bool has(const std::string& symbol) const { return ::dlsym(library_, symbol.c_str()) != nullptr; }

  template <typename... Arguments>
  int call(const char* symbol, Arguments... arguments) const {
    const auto function = reinterpret_cast<int (*)(Arguments...)>(::dlsym(library_, symbol));
    if (function == nullptr) throw std::runtime_error(std::string("there is no ") + symbol);
    return function(arguments...);
  }

  [[nodiscard]] unsigned count() const {
    unsigned count = ~0U;
    EXPECT_EQ(call("nvmlDeviceGetCount", &count), kSuccess);
    return count;
  }
  [[nodiscard]] Handle gpu(unsigned index) const {
    Handle handle = nullptr;
    EXPECT_EQ(call("nvmlDeviceGetHandleByIndex", index, &handle), kSuccess);
    return handle;
  }
  [[nodiscard]] Handle instance(Handle gpu, unsigned slot) const {
    Handle handle = nullptr;
    EXPECT_EQ(call("nvmlDeviceGetMigDeviceHandleByIndex", gpu, slot, &handle), kSuccess);
    return handle;
  }
  /// The text that a call writes.
  [[nodiscard]] std::string text(const char* symbol, Handle device) const {
    char text[96] = "";
    EXPECT_EQ(call(symbol, device, text, unsigned{sizeof(text)}), kSuccess);
    return text;
  }
  [[nodiscard]] std::string uuid(Handle device) const { return text("nvmlDeviceGetUUID", device); }
  [[nodiscard]] MemoryV1 memory_v1(Handle device) const {
    MemoryV1 memory{};
    EXPECT_EQ(call("nvmlDeviceGetMemoryInfo", device, &memory), kSuccess);
    return memory;
  }
  [[nodiscard]] MemoryV2 memory_v2(Handle device) const {
    MemoryV2 memory{kMemoryV2Version, 0, 0, 0, 0};
    EXPECT_EQ(call("nvmlDeviceGetMemoryInfo_v2", device, &memory), kSuccess);
    return memory;
  }
  [[nodiscard]] unsigned long long used(Handle device) const { return memory_v2(device).used; }
  /// A process list as clients read it: asking for its size first.
  template <typename Entry>
  [[nodiscard]] std::vector<Entry> list(const char* symbol, Handle device) const {
    unsigned count = 0;
    const auto code = call(symbol, device, &count, static_cast<Entry*>(nullptr));
    EXPECT_EQ(code, count == 0 ? kSuccess : kInsufficientSize);
    std::vector<Entry> entries(count);
    EXPECT_EQ(call(symbol, device, &count, entries.data()), kSuccess);
    return entries;
  }
  [[nodiscard]] std::vector<ProcessV2> compute(Handle device) const {
    return list<ProcessV2>("nvmlDeviceGetComputeRunningProcesses_v2", device);
  }

  FakeNvml fake;
  mutable VirtualClock clock;  ///< The world's: a client does not own it, but has it at hand.

 private:
  void* library_;
};

}  // namespace nvml_fake
