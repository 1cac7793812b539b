// Sward: norms must be float or double
#include "Sward_Misuse.hpp"
#include "Sward_RowNorms.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using NormsOfInt = Vector<int, Space>;
#else
using NormsOfInt = Vector<float, Space>;
#endif

[[maybe_unused]] void norms_of_int(const Space& space, const Floats& values, const NormsOfInt& norms) {
  row_norms(space, values, Side::rows, norms);
}

}  // namespace
}  // namespace Sward::Misuse
