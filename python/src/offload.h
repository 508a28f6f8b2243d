// The offloading rung's decisions for Python, whose own threads move the objects.
#pragma once

#include <nanobind/nanobind.h>

namespace dualgpuopt::memory::python {

void bind_offload(nanobind::module_& module);

}  // namespace dualgpuopt::memory::python
