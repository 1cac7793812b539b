// Sward::matrix_product: A and B must be of one type, and C and S of that type too, unless it is BFloat16
#include "Sward_MatrixProduct.hpp"
#include "Sward_Misuse.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using FactorsOfTwoTypes = Matrix<double, Space>;
#else
using FactorsOfTwoTypes = Floats;
#endif

[[maybe_unused]] void factors_of_two_types(const Space& space, const Floats& a, const FactorsOfTwoTypes& b,
                                           const Floats& c) {
  matrix_product(space, Transpose::no, Transpose::no, 1, a, b, 0, c);
}

}  // namespace
}  // namespace Sward::Misuse
