// Sward::Float8Matrix: codes must be of Float8, scales of float
#include "Sward_Misuse.hpp"
#include "Sward_QuantizeRows.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using ScalesOfDouble = Norms;
#else
using ScalesOfDouble = Vector<float, Space>;
#endif

[[maybe_unused]] void scales_of_double(const Space& space, const Floats& input,
                                       const Float8Matrix<Matrix<Float8, Space>, ScalesOfDouble>& output) {
  quantize_rows(space, input, output);
}

}  // namespace
}  // namespace Sward::Misuse
