// Sward::matrix_product: A and B must be of one type, and C and S of that type too, unless it is BFloat16
#include "Sward_Misuse.hpp"
#include "Sward_ProjectProduct.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using ProductInFewerBits = Matrix<BFloat16, Space>;
#else
using ProductInFewerBits = Floats;
#endif

[[maybe_unused]] void product_in_fewer_bits(const Space& space, const RowSelection<Space>& selection, const Floats& dy,
                                            const Floats& x, const Floats& gathered, const ProductInFewerBits& c) {
  project_product(space, selection, dy, x, gathered, 0, c);
}

}  // namespace
}  // namespace Sward::Misuse
