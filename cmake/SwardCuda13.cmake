# Kokkos 4.7.00 was written before CUDA 13 changed three functions; its headers call one of them.
if(Kokkos_ENABLE_CUDA AND Kokkos_VERSION VERSION_EQUAL 4.7.00)
  find_package(CUDAToolkit REQUIRED)
  if(CUDAToolkit_VERSION VERSION_GREATER_EQUAL 13)
    # Installed headers have names of Sward's.
    set(SWARD_KOKKOS_CUDA13_HEADER ${PROJECT_BINARY_DIR}/include/Sward_KokkosCuda13.hpp)
    configure_file(${PROJECT_SOURCE_DIR}/cmake/kokkos_cuda13.hpp ${SWARD_KOKKOS_CUDA13_HEADER} COPYONLY)
    target_compile_options(sward_kernels INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include Sward_KokkosCuda13.hpp>")
  endif()
endif()
