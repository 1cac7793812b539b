#pragma once

// Stands before every function that launches a lambda. nvcc gives such lambdas types with external linkage whose
// functions use variables of the file that was compiled (__nv_hdl_helper is in an unnamed namespace). Of two files that
// instantiate the same function, the linker keeps the functions of one, so that pointers which the other has set are
// null when they are called, or not, as the compiler has inlined. With internal linkage each file keeps its own.
#ifdef __CUDACC__
#define SWARD_FILE_LOCAL static
#else
#define SWARD_FILE_LOCAL
#endif
