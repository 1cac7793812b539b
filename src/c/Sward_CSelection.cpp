#include "Sward_COperands.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_SampleRows.hpp"
#include "Sward_SelectTopRows.hpp"

namespace {

using namespace Sward::C;

/// Keys, and behind them counts.
Sward::SelectionWorkspace<Space> workspace_of(const char* function, void* workspace, std::size_t bytes, int extent) {
  using Workspace = Sward::SelectionWorkspace<Space>;
  const std::size_t wanted = sward_selection_workspace_bytes(extent);
  if (bytes < wanted)
    refuse(function, "the workspace has " + std::to_string(bytes) + " bytes, wanted " + std::to_string(wanted));
  check_list(function, "workspace", workspace, extent, sizeof(std::uint64_t));
  const auto count = static_cast<std::size_t>(extent);
  auto* const keys = static_cast<std::uint64_t*>(workspace);
  return {Workspace::List<std::uint64_t>(keys, count),
          Workspace::List<int>(reinterpret_cast<int*>(keys + count), count)};
}

OperandList<const double> norms_of(const char* function, const double* norms, std::int64_t count) {
  check_list(function, "norms", norms, count, sizeof(double));
  return {norms, static_cast<std::size_t>(count)};
}

}  // namespace

extern "C" {

sward_status sward_row_norms(const sward_instance* instance, const sward_matrix* values, sward_side side, double* norms,
                             int64_t count) {
  constexpr const char* function = "sward_row_norms";
  return call(function, [&] {
    const Space& space = space_of(function, instance);
    const Sward::Side summed = side_of(function, side);
    check_list(function, "norms", norms, count, sizeof(double));
    const OperandList<double> results(norms, static_cast<std::size_t>(count));
    with_type(function, "values", values, [&](auto type) {
      Sward::row_norms(space, operand<typename decltype(type)::type>(*values), summed, results);
    });
  });
}

size_t sward_selection_workspace_bytes(int64_t extent) {
  return extent < 0 ? 0 : static_cast<std::size_t>(extent) * (sizeof(std::uint64_t) + sizeof(int));
}

sward_status sward_select_top_rows(const sward_instance* instance, const double* norms, void* workspace,
                                   size_t workspace_bytes, const sward_selection* selection) {
  constexpr const char* function = "sward_select_top_rows";
  return call(function, [&] {
    const Space& space = space_of(function, instance);
    const auto chosen = selection_of(function, selection);
    Sward::select_top_rows(space, norms_of(function, norms, chosen.extent),
                           workspace_of(function, workspace, workspace_bytes, chosen.extent), chosen);
  });
}

sward_status sward_sample_rows(const sward_instance* instance, sward_scheme scheme, const double* norms,
                               const sward_draw* draw, void* workspace, size_t workspace_bytes,
                               const sward_selection* selection) {
  constexpr const char* function = "sward_sample_rows";
  return call(function, [&] {
    const Space& space = space_of(function, instance);
    require_pointer(function, "draw", draw);
    const auto chosen = selection_of(function, selection);
    Sward::sample_rows(space, scheme_of(function, scheme), norms_of(function, norms, chosen.extent),
                       draw_of(function, *draw), workspace_of(function, workspace, workspace_bytes, chosen.extent),
                       chosen);
  });
}
}
