# Headers that every file of a target includes first, parsed once. For tests alone: in the library a missing include has
# to show. nvcc knows no precompiled headers; ccache keeps GCC's with -fpch-preprocess. Out of a precompiled header the
# standard library's code is no system's to GCC, which then warns of what it has inlined: GCC 12 wrongly, of strings that
# are joined (its bug 105651).
function(sward_precompile target)
  if(NOT SWARD_ENABLE_CUDA AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_precompile_headers(${target} PRIVATE ${ARGN})
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess> -Wno-array-bounds
      -Wno-stringop-overflow -Wno-stringop-overread -Wno-maybe-uninitialized)
  endif()
endfunction()
