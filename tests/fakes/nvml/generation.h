// Which drivers' library this is; generation.cpp is built once for each.
#pragma once

namespace nvml_fake {

struct Generation {
  int branch;           ///< 510 for R510.
  const char* version;  ///< What the driver calls itself where a scenario says nothing else.
  bool wide_entries;    ///< The lists behind _v3 have entries of 32 bytes, as in R535's first releases.
};
extern const Generation kGeneration;

}  // namespace nvml_fake
