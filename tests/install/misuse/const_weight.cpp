// Sward: outputs must not be const
#include "Sward_GrassUpdate.hpp"
#include "Sward_Misuse.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using ConstWeight = Matrix<const float, Space>;
#else
using ConstWeight = Floats;
#endif

[[maybe_unused]] void const_weight(const Space& space, const RowSelection<Space>& selection, const Floats& gradient,
                                   const Floats& first, const Floats& second, const ConstWeight& weight) {
  grass_update(space, selection, AdamStep{0.9, 0.999, 1e-8, 1}, 1e-3, 0, Rounding{}, gradient, first, second, weight);
}

}  // namespace
}  // namespace Sward::Misuse
