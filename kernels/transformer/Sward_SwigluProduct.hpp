#pragma once

#include <Kokkos_Core.hpp>
#include <Kokkos_Profiling_ScopedRegion.hpp>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "Sward_BFloat16.hpp"
#include "Sward_Check.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_Swiglu.hpp"
#ifdef KOKKOS_ENABLE_CUDA
#include "Sward_GatedProduct.hpp"
#endif

namespace Sward {

/// The first and the second half of a matrix' columns.
template <class GateUp>
auto gate_columns(const GateUp& gate_up) {
  return Kokkos::subview(gate_up, Kokkos::ALL, std::pair<std::size_t, std::size_t>(0, gate_up.extent(1) / 2));
}
template <class GateUp>
auto up_columns(const GateUp& gate_up) {
  return Kokkos::subview(gate_up, Kokkos::ALL,
                         std::pair<std::size_t, std::size_t>(gate_up.extent(1) / 2, gate_up.extent(1)));
}

/// Whether one kernel can multiply these and apply the gate: row-major bfloat16 on CUDA.
#ifdef KOKKOS_ENABLE_CUDA
template <class ExecutionSpace, class... View>
inline constexpr bool may_be_gated_product = std::is_same_v<ExecutionSpace, Kokkos::Cuda> &&
                                             ((std::is_same_v<typename View::non_const_value_type, BFloat16> &&
                                               std::is_same_v<typename View::array_layout, Kokkos::LayoutRight>)&&...);

/// With the strides of the operands in the order of the members, 0 for the product where there is none.
template <class Input, class Weight, class GateUp>
GatedProductShape gated_product_shape(const Input& input, const Weight& weight, const GateUp& gate_up,
                                      std::size_t product_stride) {
  const auto number = [](std::size_t extent) { return static_cast<std::int64_t>(extent); };
  return {number(input.extent(0)),  number(input.extent(1)),   number(gate_up.extent(1) / 2), number(input.stride(0)),
          number(weight.stride(0)), number(gate_up.stride(0)), number(product_stride)};
}

template <class... View>
bool uses_gated_product(const GatedProductShape& shape, const View&... operands) {
  return (is_packable<8>(operands) && ...) && gated_product_serves(shape);
}
#else
template <class ExecutionSpace, class... View>
inline constexpr bool may_be_gated_product = false;
#endif

/// gate_up = input * weightᵀ and product = silu(gate) * up, where gate and up are the first and the last n columns of
/// gate_up, rounded to its type. `input` is b x k, `weight` 2n x k, `gate_up` b x 2n, `product` b x n. In bfloat16 on
/// CUDA one kernel does both.
template <class ExecutionSpace, class Input, class Weight, class GateUp, class Product>
void swiglu_product(const ExecutionSpace& space, const Input& input, const Weight& weight, const GateUp& gate_up,
                    const Product& product) {
  static_assert(are_inputs<ExecutionSpace, Input, Weight>() && are_outputs<ExecutionSpace, GateUp, Product>());
  static_assert(Input::rank() == 2 && Weight::rank() == 2 && GateUp::rank() == 2 && Product::rank() == 2,
                "Sward::swiglu_product: the operands must be matrices");
  require_extents("Sward::swiglu_product", "gate_up", {gate_up.extent(0), gate_up.extent(1)},
                  {input.extent(0), 2 * product.extent(1)});
  require_extents("Sward::swiglu_product", "weight", {weight.extent(0), weight.extent(1)},
                  {gate_up.extent(1), input.extent(1)});
  require_extents("Sward::swiglu_product", "product", {product.extent(0)}, {input.extent(0)});
  if constexpr (may_be_gated_product<ExecutionSpace, Input, Weight, GateUp, Product>) {
    const auto shape = gated_product_shape(input, weight, gate_up, product.stride(0));
    if (uses_gated_product(shape, input, weight, gate_up, product)) {
      const Kokkos::Profiling::ScopedRegion region("Sward::swiglu_product");
      gated_product(space.cuda_stream(), shape, input.data(), weight.data(), gate_up.data(), product.data());
      return;
    }
  }
  matrix_product(space, Transpose::no, Transpose::yes, 1, input, weight, 0, gate_up);
  swiglu(space, gate_columns(gate_up), up_columns(gate_up), product);
}

/// The gradients of gate and up, in their place in gate_up (b x 2n), where that of silu(gate) * up is output_gradient *
/// weight, rounded to the type of `workspace` (b x n). `output_gradient` is b x k, `weight` k x n. In bfloat16 on CUDA
/// one kernel does both, and leaves `workspace` as it is.
template <class ExecutionSpace, class OutputGradient, class Weight, class Workspace, class GateUp>
void swiglu_product_backward(const ExecutionSpace& space, const OutputGradient& output_gradient, const Weight& weight,
                             const Workspace& workspace, const GateUp& gate_up) {
  static_assert(are_inputs<ExecutionSpace, OutputGradient, Weight>() &&
                are_outputs<ExecutionSpace, Workspace, GateUp>());
  static_assert(OutputGradient::rank() == 2 && Weight::rank() == 2 && Workspace::rank() == 2 && GateUp::rank() == 2,
                "Sward::swiglu_product_backward: the operands must be matrices");
  require_extents("Sward::swiglu_product_backward", "gate_up", {gate_up.extent(0), gate_up.extent(1)},
                  {output_gradient.extent(0), 2 * weight.extent(1)});
  require_extents("Sward::swiglu_product_backward", "weight", {weight.extent(0)}, {output_gradient.extent(1)});
  require_extents("Sward::swiglu_product_backward", "workspace", {workspace.extent(0), workspace.extent(1)},
                  {output_gradient.extent(0), weight.extent(1)});
  if constexpr (may_be_gated_product<ExecutionSpace, OutputGradient, Weight, Workspace, GateUp>) {
    const auto shape = gated_product_shape(output_gradient, weight, gate_up, 0);
    if (uses_gated_product(shape, output_gradient, weight, gate_up)) {
      const Kokkos::Profiling::ScopedRegion region("Sward::swiglu_product_backward");
      gated_product_backward(space.cuda_stream(), shape, output_gradient.data(), weight.data(), gate_up.data());
      return;
    }
  }
  matrix_product(space, Transpose::no, Transpose::no, 1, output_gradient, weight, 0, workspace);
  const auto gate = gate_columns(gate_up);
  const auto up = up_columns(gate_up);
  swiglu_backward(space, gate, up, workspace, gate, up);
}

}  // namespace Sward
