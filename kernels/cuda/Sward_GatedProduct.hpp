#pragma once

#include <driver_types.h>

#include <cstdint>

#include "Sward_TensorMap.hpp"

namespace Sward {

/// product = silu(gate) * up with [gate, up] = input * weightᵀ.
void gated_product(cudaStream_t stream, const DeviceMatrix& input, const DeviceMatrix& weight,
                   const DeviceMatrix& gate_up, const DeviceMatrix& product);

/// gate_up becomes its gradient for output_gradient * weight.
void gated_product_backward(cudaStream_t stream, const DeviceMatrix& output_gradient, const DeviceMatrix& weight,
                            const DeviceMatrix& gate_up);

extern int variant;
extern int tile_group;

}  // namespace Sward
