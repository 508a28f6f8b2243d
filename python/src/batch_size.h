// The batch size of an application, for the package's own modules.
#pragma once

#include <nanobind/nanobind.h>

namespace dualgpuopt::memory::python {

void bind_batch_size(nanobind::module_& module);

}  // namespace dualgpuopt::memory::python
