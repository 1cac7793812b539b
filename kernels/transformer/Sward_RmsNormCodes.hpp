#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Float8Matrix.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_RmsNorm.hpp"

namespace Sward {

/// rms_norm, and quantize_rows of its output, b x n, in one pass where a row fits into registers. The Float8Matrix
/// `codes` is b x n.
template <class ExecutionSpace, class Input, class Weight, class InverseRms, class Output, class Codes>
void rms_norm(const ExecutionSpace& space, const Input& input, const Weight& weight, double epsilon,
              const InverseRms& inverse_rms, const Output& output, const Codes& codes) {
  check_rms_norm<ExecutionSpace>(input, weight, inverse_rms, output);
  require_float8_matrix<ExecutionSpace>("Sward::rms_norm", "codes", codes, input.extent(0), input.extent(1));
  if (took_rows_in_registers(space, input, weight, epsilon, inverse_rms, output, codes)) return;
  rms_norm(space, input, weight, epsilon, inverse_rms, output);
  quantize_rows(space, output, codes);
}

}  // namespace Sward
