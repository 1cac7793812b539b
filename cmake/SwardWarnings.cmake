option(SWARD_WARNINGS_AS_ERRORS "Stop at the first warning" OFF)

# Every target of the project calls this; installed consumers inherit none of it.
# GCC 12 sees an overlap in every optimised "literal" + std::string that is not there (its bug 105651).
function(sward_set_warnings target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang>:-Wall;-Wextra;-Wpedantic;-Wconversion;-Wshadow>
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
    $<$<BOOL:${SWARD_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()
