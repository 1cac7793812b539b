// What Kokkos 4.7.00 needs under CUDA 13: one switch, and overloads of three CUDA functions that take the arguments
// they had before CUDA 13 and pass on what they meant. Force-included for that version with CUDA 13 or later alone.
#pragma once

// With the attribute that this switch turns off, nvcc lays out views of rank 1 differently in host and device code, and
// kernels read the wrong members. Kokkos' own library has to be built with the same choice.
#define MDSPAN_IMPL_USE_ATTRIBUTE_NO_UNIQUE_ADDRESS 1

#include <cuda_runtime_api.h>

#if CUDART_VERSION < 13000
#error "kokkos_cuda13.hpp is for CUDA 13 and later"
#endif

/// The location that an integer device, or cudaCpuDeviceId, used to name.
inline cudaMemLocation sward_memory_location(int device) {
  cudaMemLocation location = {};
  location.type = device == cudaCpuDeviceId ? cudaMemLocationTypeHost : cudaMemLocationTypeDevice;
  location.id = device == cudaCpuDeviceId ? 0 : device;
  return location;
}

/// Edges without data: the meaning of leaving the edge data out.
inline cudaError_t cudaGraphAddDependencies(cudaGraph_t graph, const cudaGraphNode_t* from, const cudaGraphNode_t* to,
                                            size_t count) {
  return cudaGraphAddDependencies(graph, from, to, nullptr, count);
}

inline cudaError_t cudaMemPrefetchAsync(const void* pointer, size_t bytes, int device, cudaStream_t stream = nullptr) {
  return cudaMemPrefetchAsync(pointer, bytes, sward_memory_location(device), 0U, stream);
}

inline cudaError_t cudaMemAdvise(const void* pointer, size_t bytes, cudaMemoryAdvise advice, int device) {
  return cudaMemAdvise(pointer, bytes, advice, sward_memory_location(device));
}
