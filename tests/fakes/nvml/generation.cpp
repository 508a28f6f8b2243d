#include "fakes/nvml/generation.h"

namespace nvml_fake {

const Generation kGeneration{NVML_FAKE_BRANCH, NVML_FAKE_VERSION, NVML_FAKE_WIDE_ENTRIES != 0};

}  // namespace nvml_fake
