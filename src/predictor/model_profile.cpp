#include "dualgpuopt/memory/predictor/model_profile.h"
