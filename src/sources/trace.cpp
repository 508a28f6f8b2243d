#include "dualgpuopt/memory/sources/trace.h"
