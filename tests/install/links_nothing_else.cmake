# Fails if PROGRAM, which takes the kernels alone, brings in libraries of the rest: messages or files.
execute_process(COMMAND ldd ${PROGRAM} OUTPUT_VARIABLE libraries COMMAND_ERROR_IS_FATAL ANY)
if(NOT libraries MATCHES "libc\\.so")
  message(FATAL_ERROR "ldd has not listed the libraries of ${PROGRAM}: ${libraries}")
endif()
string(REGEX MATCHALL "[^ \t\n]*lib(mpi|hdf5|nccl|sentencepiece|zstd)[^ \t\n]*" found "${libraries}")
if(found)
  message(FATAL_ERROR "${PROGRAM} links ${found}")
endif()
