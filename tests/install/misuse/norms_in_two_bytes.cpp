// Sward: norms must be float or double
#include "Sward_Misuse.hpp"
#include "Sward_SelectTopRows.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using NormsInTwoBytes = Vector<BFloat16, Space>;
#else
using NormsInTwoBytes = Norms;
#endif

[[maybe_unused]] void norms_in_two_bytes(const Space& space, const NormsInTwoBytes& norms,
                                         const SelectionWorkspace<Space>& workspace,
                                         const RowSelection<Space>& selection) {
  select_top_rows(space, norms, workspace, selection);
}

}  // namespace
}  // namespace Sward::Misuse
