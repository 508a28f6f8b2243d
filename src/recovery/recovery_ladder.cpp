#include "dualgpuopt/memory/recovery/recovery_ladder.h"
