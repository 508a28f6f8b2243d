#include "dualgpuopt/memory/core/units.h"
