option(SWARD_WARNINGS_AS_ERRORS "Stop at the first warning" OFF)

# Every target of the project calls this; installed consumers inherit none of it.
# GCC 12 sees an overlap in every optimised "literal" + std::string that is not there (its bug 105651).
function(sward_set_warnings target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang>:-Wall;-Wextra;-Wpedantic;-Wconversion;-Wshadow>
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
    $<$<BOOL:${SWARD_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()

# Of targets whose own files hold compiled kernels and are to be fast.
function(sward_set_source_options target)
  sward_set_warnings(${target})
  # Without these a square root has to set errno, and a choice between two numbers may raise no exception that the one not
  # chosen would: loops around them do not vectorize, the latter without AVX-512. Results do not change.
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang>:-fno-math-errno;-fno-trapping-math>")
endfunction()
