// Everything a user of the library needs.
#pragma once

#include "dualgpuopt/memory/metrics/json.h"                // IWYU pragma: export
#include "dualgpuopt/memory/monitor/memory_monitor.h"      // IWYU pragma: export
#include "dualgpuopt/memory/monitor/offload_follower.h"    // IWYU pragma: export
#include "dualgpuopt/memory/predictor/model_profile.h"     // IWYU pragma: export
#include "dualgpuopt/memory/recovery/shared_batch_size.h"  // IWYU pragma: export
#include "dualgpuopt/memory/sources/make_source.h"         // IWYU pragma: export
