// Sward: outputs must not be const
#include "Sward_Misuse.hpp"
#include "Sward_ProjectRows.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using ConstOutput = Matrix<const float, Space>;
#else
using ConstOutput = Floats;
#endif

[[maybe_unused]] void const_output(const Space& space, const RowSelection<Space>& selection, const Floats& values,
                                   const ConstOutput& compressed) {
  project_rows(space, selection, values, compressed);
}

}  // namespace
}  // namespace Sward::Misuse
