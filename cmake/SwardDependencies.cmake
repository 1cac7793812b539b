option(SWARD_ENABLE_LIBRARY "Build Sward::sward and the programs (needs MPI, HDF5 and the file libraries)" ON)
option(SWARD_ENABLE_ONEDNN "Products of floats on hosts by oneDNN instead of BLAS" ON)
option(SWARD_ENABLE_TESTS "Build the tests (needs GoogleTest)" ${PROJECT_IS_TOP_LEVEL})
option(SWARD_ENABLE_FUZZING "Build the fuzz targets in tests/fuzz instead of the tests (needs Clang)" OFF)
option(SWARD_ENABLE_BENCHMARKS "Build the benchmarks in perf/ (needs Google Benchmark)" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

# With paths relative to the checkout, what one checkout compiled serves every other one. ccache takes nvcc_wrapper for
# nvcc and then cannot preprocess with it.
if(PROJECT_IS_TOP_LEVEL AND NOT SWARD_ENABLE_CUDA AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(SWARD_CCACHE ccache)
  if(SWARD_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
        ${SWARD_CCACHE})
  endif()
endif()

if(NOT TARGET Kokkos::kokkos)
  find_package(Kokkos 4.7 REQUIRED)
endif()
if(NOT TARGET Kokkos::kokkoskernels)
  find_package(KokkosKernels REQUIRED)
endif()
find_path(SWARD_RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)
# Its package's own configuration asks for OpenCL, which nothing here uses.
find_path(SWARD_ONEDNN_INCLUDE_DIR dnnl.h)
find_library(SWARD_ONEDNN_LIBRARY dnnl)
if(SWARD_ENABLE_ONEDNN AND NOT (SWARD_ONEDNN_INCLUDE_DIR AND SWARD_ONEDNN_LIBRARY))
  message(FATAL_ERROR "oneDNN was not found (dnnl.h, libdnnl): install it, or set SWARD_ENABLE_ONEDNN=OFF to leave "
    "float products on hosts to BLAS, some 8% slower")
endif()

if(SWARD_ENABLE_LIBRARY)
  enable_language(C)
  find_package(MPI REQUIRED COMPONENTS C)
  find_package(HDF5 REQUIRED COMPONENTS C)
  find_package(tomlplusplus REQUIRED)
  if(SWARD_ENABLE_FUZZING)
    # From its headers toml++ is instrumented too. An assertion there fails for "[=", which then gives a proper error.
    set_target_properties(tomlplusplus::tomlplusplus PROPERTIES
      INTERFACE_COMPILE_OPTIONS "-DTOML_HEADER_ONLY=1;-DTOML_ASSERT(expr)=static_assert(true)")
  endif()
  find_package(CLI11 REQUIRED)
  find_package(nlohmann_json REQUIRED)
  find_package(fmt REQUIRED)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(SentencePiece REQUIRED IMPORTED_TARGET sentencepiece)
  find_package(ZLIB REQUIRED)
  pkg_check_modules(Zstd REQUIRED IMPORTED_TARGET libzstd)
endif()
if(SWARD_ENABLE_TESTS)
  find_package(GTest REQUIRED)
endif()
if(SWARD_ENABLE_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()
