// Sward: elements must be float, double or BFloat16
#include "Sward_Misuse.hpp"
#include "Sward_RowNorms.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using ElementsOfInt = Matrix<int, Space>;
#else
using ElementsOfInt = Matrix<BFloat16, Space>;
#endif

[[maybe_unused]] void elements_of_int(const Space& space, const ElementsOfInt& values, const Norms& norms) {
  row_norms(space, values, Side::rows, norms);
}

}  // namespace
}  // namespace Sward::Misuse
