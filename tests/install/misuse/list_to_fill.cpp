// Sward: operands must be of type Kokkos::View
#include <vector>

#include "Sward_Fill.hpp"
#include "Sward_Misuse.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using ListToFill = std::vector<double>;
#else
using ListToFill = Norms;
#endif

[[maybe_unused]] void list_to_fill(const Space& space, const ListToFill& values) { fill(space, values, 1); }

}  // namespace
}  // namespace Sward::Misuse
