#include "dualgpuopt/memory/sources/simulated.h"
