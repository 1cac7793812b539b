#pragma once

#include "sward_version.h"

namespace Sward {

#define SWARD_QUOTED(number) #number
#define SWARD_VERSION_TEXT(major, minor, patch) SWARD_QUOTED(major) "." SWARD_QUOTED(minor) "." SWARD_QUOTED(patch)

/// Of these headers, as in "1.2.3"; `build_description` tells that of the library. For comparisons there are the macros
/// SWARD_VERSION_MAJOR, SWARD_VERSION_MINOR and SWARD_VERSION_PATCH.
inline constexpr const char* version =
    SWARD_VERSION_TEXT(SWARD_VERSION_MAJOR, SWARD_VERSION_MINOR, SWARD_VERSION_PATCH);

#undef SWARD_VERSION_TEXT
#undef SWARD_QUOTED

}  // namespace Sward
