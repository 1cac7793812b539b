// Sward::rms_norm_backward: inverse_rms and partials must be row-major
#include "Sward_Misuse.hpp"
#include "Sward_RmsNormBackward.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using StridedPartials = Kokkos::View<float**, Kokkos::LayoutStride, Space>;
#else
using StridedPartials = Floats;
#endif

[[maybe_unused]] void strided_partials(const Space& space, const Floats& dy, const Floats& x,
                                       const Vector<float, Space>& weight, const Vector<float, Space>& inverse_rms,
                                       const Floats& dx, const StridedPartials& partials,
                                       const Vector<float, Space>& weight_gradient) {
  rms_norm_backward(space, dy, x, weight, inverse_rms, dx, partials, weight_gradient);
}

}  // namespace
}  // namespace Sward::Misuse
