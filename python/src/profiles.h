// Profiles of models: from a description, learned, in files; for the package's own modules.
#pragma once

#include <nanobind/nanobind.h>

namespace dualgpuopt::memory::python {

/// After bind_estimates, whose EstimateRequest it takes.
void bind_profiles(nanobind::module_& module);

}  // namespace dualgpuopt::memory::python
