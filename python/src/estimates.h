// Estimates of models and explanations of errors, for the package's own modules.
#pragma once

#include <nanobind/nanobind.h>

namespace dualgpuopt::memory::python {

void bind_estimates(nanobind::module_& module);

}  // namespace dualgpuopt::memory::python
