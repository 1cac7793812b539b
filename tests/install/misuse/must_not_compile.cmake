# Passes if a source file does not compile with SWARD_MISUSE defined, and the compiler's first error is a
# static_assert with the sentence in the file's first line.
#   cmake -DCOMPILER=c++ -DFLAGS=FILE_OF_FLAGS -DFIRST=HEADER -DSOURCE=NAME.cpp -P must_not_compile.cmake
file(STRINGS ${SOURCE} sentence LIMIT_COUNT 1)
string(REGEX REPLACE "^// " "" sentence "${sentence}")
execute_process(COMMAND ${COMPILER} @${FLAGS} -include ${FIRST} -fsyntax-only -DSWARD_MISUSE ${SOURCE}
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles, wanted: ${sentence}")
endif()
string(REGEX MATCH "error: [^\n]*" first_error "${output}")
string(FIND "${first_error}" "static assertion failed" assertion)
string(FIND "${first_error}" "${sentence}" place)
if(assertion EQUAL -1 OR place EQUAL -1)
  message(FATAL_ERROR "${SOURCE} does not begin its errors with: ${sentence}\n${output}")
endif()
