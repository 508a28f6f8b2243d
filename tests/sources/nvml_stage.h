// The stand-in NVML, opened and initialised, for tests of what lies between it and the source.
#pragma once

#include <stdexcept>

#include "sources/fake_nvml.h"
#include "sources/nvml_library.h"

namespace dualgpuopt::memory::nvml {

struct Stage {
  explicit Stage(std::initializer_list<NvmlFakeDevice> gpus, NvmlGeneration generation = NvmlGeneration::R510)
      : fake(gpus, generation), library(open(fake)) {}

  /// The handle of a GPU that is there.
  [[nodiscard]] Handle gpu(unsigned index) const { return library.device(index).value(); }

  FakeNvml fake;
  Library library;

 private:
  static Library open(const FakeNvml& fake) {
    auto library = Library::open(fake.path());
    if (!library) throw std::runtime_error(library.error().describe());
    if (library->init() != Code::Success) throw std::runtime_error("the stand-in does not start");
    return std::move(*library);
  }
};

}  // namespace dualgpuopt::memory::nvml
