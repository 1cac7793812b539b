#pragma once

#include <string>

namespace Sward {

/// With what the library was built, for reports and for building it again: a line each for version, commit (with
/// "-dirty" where files that git knows were changed; "unknown" outside a checkout), build type, compiler, flags, Kokkos
/// with its backends, and the options of CMake. The commit is that at which CMake was last run.
std::string build_description();

}  // namespace Sward
