include(CMakePackageConfigHelpers)
set(SWARD_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Sward)
set(SWARD_HEADER_DIR ${CMAKE_INSTALL_INCLUDEDIR}/sward)

# Headers include each other by bare file name, so they lie flat in one folder once installed.
function(sward_install_headers)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${ARGN})
  list(FILTER headers EXCLUDE REGEX "/src/c/[^/]*.hpp$")
  install(FILES ${headers} DESTINATION ${SWARD_HEADER_DIR})
endfunction()

sward_install_headers(${PROJECT_SOURCE_DIR}/kernels/*.hpp ${SWARD_KOKKOS_CUDA13_HEADER})
install(FILES ${PROJECT_BINARY_DIR}/include/sward_version.h DESTINATION ${SWARD_HEADER_DIR})
install(TARGETS sward_kernels EXPORT SwardKernelsTargets)
if(TARGET sward_cuda)
  install(TARGETS sward_cuda EXPORT SwardKernelsTargets)
endif()
install(EXPORT SwardKernelsTargets NAMESPACE Sward:: DESTINATION ${SWARD_PACKAGE_DIR})

if(TARGET sward_optimizer)
  set(source ${PROJECT_SOURCE_DIR}/src)
  sward_install_headers(${source}/build/*.hpp ${source}/optimizer/*.hpp ${source}/memory/Sward_Arena.hpp ${source}/memory/Sward_Fnv1a.hpp
    ${source}/communication/Sward_CallerGroup.hpp ${source}/communication/Sward_CollectiveLog.hpp
    ${source}/communication/Sward_ProcessGroup.hpp)
  install(TARGETS sward_optimizer EXPORT SwardOptimizerTargets)
  install(EXPORT SwardOptimizerTargets NAMESPACE Sward:: DESTINATION ${SWARD_PACKAGE_DIR})
endif()

if(TARGET sward_c)
  install(FILES ${PROJECT_SOURCE_DIR}/src/c/sward.h DESTINATION ${SWARD_HEADER_DIR})
  install(TARGETS sward_c EXPORT SwardCTargets)
  install(EXPORT SwardCTargets NAMESPACE Sward:: DESTINATION ${SWARD_PACKAGE_DIR})
endif()

if(TARGET sward_fortran)
  # Modules are of one compiler, unlike headers.
  install(FILES ${PROJECT_BINARY_DIR}/include/sward.mod ${PROJECT_BINARY_DIR}/include/sward_bindings.mod
    DESTINATION ${SWARD_HEADER_DIR})
  install(TARGETS sward_fortran EXPORT SwardFortranTargets)
  install(EXPORT SwardFortranTargets NAMESPACE Sward:: DESTINATION ${SWARD_PACKAGE_DIR})
endif()

if(TARGET sward)
  sward_install_headers(${PROJECT_SOURCE_DIR}/src/*.hpp)
  install(TARGETS sward EXPORT SwardLibraryTargets)
  install(EXPORT SwardLibraryTargets NAMESPACE Sward:: DESTINATION ${SWARD_PACKAGE_DIR})
endif()

set(SWARD_C_IS_SHARED OFF)
if(SWARD_ENABLE_C AND SWARD_C_SHARED)
  set(SWARD_C_IS_SHARED ON)
endif()

set(module_dir ${CMAKE_INSTALL_DATADIR}/modulefiles/sward)
file(RELATIVE_PATH SWARD_MODULE_TO_PREFIX /${module_dir} /)
configure_file(${PROJECT_SOURCE_DIR}/cmake/modulefile.in ${PROJECT_BINARY_DIR}/modulefile @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/modulefile DESTINATION ${module_dir} RENAME ${PROJECT_VERSION})

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/SwardConfig.cmake.in ${PROJECT_BINARY_DIR}/SwardConfig.cmake
  INSTALL_DESTINATION ${SWARD_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/SwardConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/SwardConfig.cmake ${PROJECT_BINARY_DIR}/SwardConfigVersion.cmake
  DESTINATION ${SWARD_PACKAGE_DIR})
