// Sward::float8_product: A, B, S and C must be row-major
#include "Sward_Float8Product.hpp"
#include "Sward_Misuse.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using CodesByColumns = Kokkos::View<Float8**, Kokkos::LayoutLeft, Space>;
#else
using CodesByColumns = Matrix<Float8, Space>;
#endif

using Halves = Matrix<BFloat16, Space>;
[[maybe_unused]] void codes_by_columns(const Space& space, const Float8Matrix<CodesByColumns, Vector<float, Space>>& a,
                                       const Float8Matrix<CodesByColumns, Vector<float, Space>>& b, const Halves& c) {
  float8_product(space, a, b, 0, c, c);
}

}  // namespace
}  // namespace Sward::Misuse
