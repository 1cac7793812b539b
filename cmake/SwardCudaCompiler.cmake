option(SWARD_ENABLE_CUDA "Compile with nvcc_wrapper, for a Kokkos that has the CUDA backend" OFF)

# The compiler has to be known before project(), and only the prefix that holds Kokkos knows it.
if(SWARD_ENABLE_CUDA)
  find_program(SWARD_NVCC_WRAPPER nvcc_wrapper)
  find_file(SWARD_KOKKOS_CONFIG_HEADER KokkosCore_config.h PATH_SUFFIXES kokkos)
  set(sward_cuda_lines "")
  if(SWARD_KOKKOS_CONFIG_HEADER)
    file(STRINGS ${SWARD_KOKKOS_CONFIG_HEADER} sward_cuda_lines REGEX "^#define KOKKOS_ENABLE_CUDA$")
  endif()
  if(NOT SWARD_NVCC_WRAPPER OR NOT sward_cuda_lines)
    message(FATAL_ERROR "SWARD_ENABLE_CUDA needs a Kokkos with the CUDA backend, and CMAKE_PREFIX_PATH "
      "(${CMAKE_PREFIX_PATH}) holds none: give it the prefix that 'cmake/bootstrap.sh --cuda' prints.")
  endif()
  if(NOT CMAKE_CXX_COMPILER)
    set(CMAKE_CXX_COMPILER ${SWARD_NVCC_WRAPPER} CACHE FILEPATH "The C++ compiler")
  endif()
endif()
