// Sward: the first argument must be an instance of a Kokkos execution space
#include "Sward_Misuse.hpp"
#include "Sward_RowNorms.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using NoExecutionSpace = Kokkos::HostSpace;
#else
using NoExecutionSpace = Space;
#endif

[[maybe_unused]] void no_execution_space(const NoExecutionSpace& space, const Floats& values, const Norms& norms) {
  row_norms(space, values, Side::columns, norms);
}

}  // namespace
}  // namespace Sward::Misuse
