#include <limits>

#include "Sward_COperands.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_ProjectProduct.hpp"
#include "Sward_ProjectRows.hpp"

namespace {

using namespace Sward::C;

Sward::Transpose transpose_of(const char* function, sward_transpose transpose) {
  if (transpose == SWARD_NO_TRANSPOSE) return Sward::Transpose::no;
  if (transpose != SWARD_TRANSPOSE) refuse(function, "a transpose is neither SWARD_NO_TRANSPOSE nor SWARD_TRANSPOSE");
  return Sward::Transpose::yes;
}

/// Workspace as a matrix that is large enough for b x r; extents and the factors' type are checked.
sward_matrix gathered_in(const char* function, void* workspace, std::size_t bytes, std::int64_t tokens,
                         std::int64_t count, sward_type type) {
  const std::size_t wanted = sward_project_product_workspace_bytes(tokens, count, type);
  if (bytes < wanted)
    refuse(function, "the workspace has " + std::to_string(bytes) + " bytes, wanted " + std::to_string(wanted));
  return {workspace, tokens, count, count, type};
}

}  // namespace

extern "C" {

sward_status sward_project_rows(const sward_instance* instance, const sward_selection* selection,
                                const sward_matrix* values, const sward_matrix* compressed) {
  constexpr const char* function = "sward_project_rows";
  return call(function, [&] {
    const Space& space = space_of(function, instance);
    const auto chosen = selection_of(function, selection);
    with_type(function, "values", values, [&](auto type) {
      using T = typename decltype(type)::type;
      Sward::project_rows(space, chosen, operand<T>(*values), operand<T>(function, "compressed", compressed));
    });
  });
}

size_t sward_project_product_workspace_bytes(int64_t tokens, int64_t count, sward_type type) {
  constexpr std::int64_t most = std::numeric_limits<int>::max();
  if (tokens < 0 || count < 0 || tokens > most || count > most) return 0;
  return static_cast<std::size_t>(tokens) * static_cast<std::size_t>(count) * size_of(type);
}

sward_status sward_project_product(const sward_instance* instance, const sward_selection* selection,
                                   const sward_matrix* output_gradient, const sward_matrix* input, void* workspace,
                                   size_t workspace_bytes, double beta, const sward_matrix* gradient) {
  constexpr const char* function = "sward_project_product";
  return call(function, [&] {
    const Space& space = space_of(function, instance);
    const auto chosen = selection_of(function, selection);
    with_type(function, "output_gradient", output_gradient, [&](auto type) {
      using T = typename decltype(type)::type;
      using Result = Sward::Real<T>;
      const auto inputs = operand<T>(function, "input", input);
      const sward_matrix gathered =
          gathered_in(function, workspace, workspace_bytes, input->rows, selection->count, type_of<T>);
      Sward::project_product(space, chosen, operand<T>(*output_gradient), inputs,
                             operand<T>(function, "workspace", &gathered), static_cast<Result>(beta),
                             operand<Result>(function, "gradient", gradient));
    });
  });
}

sward_status sward_matrix_product(const sward_instance* instance, sward_transpose transpose_a,
                                  sward_transpose transpose_b, double alpha, const sward_matrix* a,
                                  const sward_matrix* b, double beta, const sward_matrix* c) {
  constexpr const char* function = "sward_matrix_product";
  return call(function, [&] {
    const Space& space = space_of(function, instance);
    const Sward::Transpose op_a = transpose_of(function, transpose_a);
    const Sward::Transpose op_b = transpose_of(function, transpose_b);
    with_type(function, "A", a, [&](auto type) {
      using T = typename decltype(type)::type;
      using Factor = Sward::Real<T>;
      const auto left = operand<T>(*a);
      const auto right = operand<T>(function, "B", b);
      const auto x = static_cast<Factor>(alpha);
      const auto y = static_cast<Factor>(beta);
      check_matrix(function, "C", c);
      if (c->type == type_of<T>)
        Sward::matrix_product(space, op_a, op_b, x, left, right, y, operand<T>(*c));
      else
        Sward::matrix_product(space, op_a, op_b, x, left, right, y, operand<Factor>(function, "C", c));
    });
  });
}
}
