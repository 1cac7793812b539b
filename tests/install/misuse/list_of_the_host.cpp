// Sward: operands must be of type Kokkos::View
#include <vector>

#include "Sward_Misuse.hpp"
#include "Sward_Sum.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using ListOfTheHost = std::vector<double>;
#else
using ListOfTheHost = Norms;
#endif

[[maybe_unused]] double list_of_the_host(const Space& space, const ListOfTheHost& values) { return sum(space, values); }

}  // namespace
}  // namespace Sward::Misuse
