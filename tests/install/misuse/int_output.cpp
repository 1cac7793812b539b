// Sward: elements must be float, double or BFloat16
#include "Sward_Misuse.hpp"
#include "Sward_Swiglu.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using IntOutput = Matrix<int, Space>;
#else
using IntOutput = Floats;
#endif

[[maybe_unused]] void int_output(const Space& space, const Floats& gate, const Floats& up, const IntOutput& output) {
  swiglu(space, gate, up, output);
}

}  // namespace
}  // namespace Sward::Misuse
