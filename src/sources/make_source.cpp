#include "dualgpuopt/memory/sources/make_source.h"
