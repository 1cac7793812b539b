// Sward: norms must be a vector
#include "Sward_Misuse.hpp"
#include "Sward_SampleRows.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using NormsInAMatrix = Matrix<double, Space>;
#else
using NormsInAMatrix = Norms;
#endif

[[maybe_unused]] void norms_in_a_matrix(const Space& space, const NormsInAMatrix& norms,
                                        const SelectionWorkspace<Space>& workspace,
                                        const RowSelection<Space>& selection) {
  sample_rows(space, Selection::norm, norms, Draw{1, 2, 3}, workspace, selection);
}

}  // namespace
}  // namespace Sward::Misuse
