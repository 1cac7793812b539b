#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Views.hpp"

// What the misuses here have in common. Each is a source file of its own, which compiles as it stands and must not with
// SWARD_MISUSE defined; its first line is the sentence that the compiler has to begin with then.

namespace Sward::Misuse {

using Space = Kokkos::DefaultHostExecutionSpace;
using Floats = Matrix<float, Space>;
using Norms = Vector<double, Space>;
using Numbers = Vector<int, Space>;

}  // namespace Sward::Misuse
