#ifndef SWARD_H
#define SWARD_H

/* The C interface of Sward: its kernels, and its optimizer on a caller's matrices. C11 and C++; nothing of Kokkos.
 *
 * Matrices are row-major. All pointers to elements, indices and workspace are to memory that the instance works in:
 * host memory in builds for hosts, device memory in builds for GPUs. What is said to be asynchronous is queued on the
 * instance and may run after the call has returned; its operands have to stay until sward_instance_fence. On hosts
 * calls return when the work is done, which no caller should rely on.
 *
 * Every function that returns a sward_status writes its results only if that is SWARD_SUCCESS, and no C++ exception
 * leaves one. All of them check what can be known on the host: NULL, extents, strides, types, alignment to an element.
 * What lies in memory is not looked at: numbers of selected rows have to be below the extent selected from.
 *
 * Handles may be used by one thread at a time, different instances and optimizers by several. */

#include <stddef.h>
#include <stdint.h>

#include "sward_version.h"

/* An enum of C++ may then hold any int that a C program gives. */
#ifdef __cplusplus
#define SWARD_OF_INT : int
extern "C" {
#else
#define SWARD_OF_INT
#endif

/* ---- Version, errors ---------------------------------------------------------------------------------------- */

/* The version of the library that is linked, which may be another one than that of the headers. NULL is left out. */
void sward_version(int* major, int* minor, int* patch);

typedef enum sward_status SWARD_OF_INT {
  SWARD_SUCCESS = 0,
  SWARD_INVALID_ARGUMENT = 1, /* NULL, a number out of range, a type that is not taken, calls in a wrong order */
  SWARD_EXTENT_MISMATCH = 2,  /* extents that do not fit together; the text has both */
  SWARD_OUT_OF_MEMORY = 3,
  SWARD_NOT_INITIALIZED = 4, /* before sward_initialize, or after Kokkos has ended */
  SWARD_COMMUNICATION = 5,   /* the caller's add_up returned something else than 0 */
  SWARD_INTERNAL = 6         /* anything else; the text says what */
} sward_status;

/* "SWARD_SUCCESS" and so on; "unknown status" for what is none. Never NULL. */
const char* sward_status_name(sward_status status);

/* What went wrong in the last call of this thread that failed: one sentence with the function, the argument, what it
 * was and what was wanted. An empty text before the first; successes leave it. Stays until the thread's next failure;
 * longer ones than 1023 bytes are cut. */
const char* sward_last_error(void);

/* ---- Start and end ------------------------------------------------------------------------------------------ */

/* Starts Kokkos, with what its environment variables say, unless it runs already; a C++ part of the program may own
 * it, and has then to end it itself, after the last sward_finalize. Counted: each call needs a sward_finalize.
 * SWARD_NOT_INITIALIZED if Kokkos has ended, since it starts only once in a process. */
sward_status sward_initialize(void);

/* Ends Kokkos with the last call, if sward_initialize started it. SWARD_INVALID_ARGUMENT, and nothing is done, if
 * instances or optimizers are left then; SWARD_NOT_INITIALIZED if there was no sward_initialize. */
sward_status sward_finalize(void);

/* ---- Instances ---------------------------------------------------------------------------------------------- */

/* Where work is queued: an instance of Kokkos' default execution space. */
typedef struct sward_instance sward_instance;

/* stream: NULL for the default instance. In CUDA builds else a cudaStream_t of the caller's, which stays the caller's
 * and has to outlive the instance and the optimizers that it was given to; in builds for hosts SWARD_INVALID_ARGUMENT.
 */
sward_status sward_instance_create(void* stream, sward_instance** instance);

/* Waits for all that was queued. */
sward_status sward_instance_fence(const sward_instance* instance);

/* NULL is left out. Optimizers that were given the instance may go on. */
sward_status sward_instance_destroy(sward_instance* instance);

/* ---- Matrices and selections -------------------------------------------------------------------------------- */

typedef enum sward_type SWARD_OF_INT {
  SWARD_FLOAT32 = 1,
  SWARD_FLOAT64 = 2,
  SWARD_BFLOAT16 = 3,
  /* In arrays of an optimizer's state only: */
  SWARD_INT32 = 4,
  SWARD_INT64 = 5,
  SWARD_UINT8 = 6
} sward_type;

/* A row-major matrix: element (i, j) is data[i * stride + j]. Extents and stride are counted in elements, from 0 to
 * 2^31 - 1, and the stride is at least the number of columns. data may be NULL where there are no elements. */
typedef struct sward_matrix {
  void* data;
  int64_t rows;
  int64_t columns;
  int64_t stride;
  sward_type type;
} sward_matrix;

/* The dimension of a weight matrix that is selected from: its rows (outputs) or its columns (inputs). */
typedef enum sward_side SWARD_OF_INT { SWARD_ROWS = 0, SWARD_COLUMNS = 1 } sward_side;

/* How rows are chosen: the largest norms, or sampled with probabilities in proportion to the norm, to its square, or
 * uniform; without replacement unless the name says so. */
typedef enum sward_scheme SWARD_OF_INT {
  SWARD_TOP_R = 0,
  SWARD_NORM = 1,
  SWARD_NORM_SQUARED = 2,
  SWARD_UNIFORM = 3,
  SWARD_NORM_REPLACEMENT = 4,
  SWARD_NORM_SQUARED_REPLACEMENT = 5,
  SWARD_UNIFORM_REPLACEMENT = 6
} sward_scheme;

/* r = count selected rows (or columns) of a matrix that has `extent` of them. The numbers ascend from 0; one that was
 * drawn twice stands in two neighbouring slots. */
typedef struct sward_selection {
  int* rows;    /* r numbers below extent */
  float* scale; /* r factors on the steps of the selected rows */
  int64_t count;
  int64_t extent;
  sward_side side;
} sward_selection;

/* Names a stream of random numbers, which depend on nothing else. */
typedef struct sward_draw {
  uint64_t seed;
  uint64_t step; /* below 2^48 */
  uint32_t matrix;
} sward_draw;

/* ---- Kernels: asynchronous, without allocation -------------------------------------------------------------- */

/* Euclidean norms of the rows of a matrix, or of its columns, summed in double. norms: count doubles, as many as there
 * are rows (columns). */
sward_status sward_row_norms(const sward_instance* instance, const sward_matrix* values, sward_side side, double* norms,
                             int64_t count);

/* Workspace of a choice among `extent` rows, aligned to 8 bytes; 0 for a negative extent. */
size_t sward_selection_workspace_bytes(int64_t extent);

/* Writes into selection the rows with the largest norms, ties to the lower number, and scales of 1. norms:
 * selection->extent doubles. 1 <= count <= extent. */
sward_status sward_select_top_rows(const sward_instance* instance, const double* norms, void* workspace,
                                   size_t workspace_bytes, const sward_selection* selection);

/* The same by sampling; the scheme is any but SWARD_TOP_R. With replacement the scales are 1 / sqrt(r q). */
sward_status sward_sample_rows(const sward_instance* instance, sward_scheme scheme, const double* norms,
                               const sward_draw* draw, void* workspace, size_t workspace_bytes,
                               const sward_selection* selection);

/* compressed = the selected rows (columns) of an m x n matrix, without scale: r x n, or m x r. One type for both. */
sward_status sward_project_rows(const sward_instance* instance, const sward_selection* selection,
                                const sward_matrix* values, const sward_matrix* compressed);

/* Workspace of sward_project_product for factors of `tokens` rows; 0 for negative extents or a type that is not taken.
 */
size_t sward_project_product_workspace_bytes(int64_t tokens, int64_t count, sward_type type);

/* The selected rows (columns) of G = dY^T X from its factors; G itself never exists:
 *   SWARD_ROWS:     gradient = beta gradient + dY[:, rows]^T X,   r x n
 *   SWARD_COLUMNS:  gradient = beta gradient + dY^T X[:, rows],   m x r
 * output_gradient (dY) is tokens x m, input (X) tokens x n, both of one type; the gradient has the same type, but
 * SWARD_FLOAT32 for factors in SWARD_BFLOAT16. beta = 0 overwrites the gradient, whatever it holds. */
sward_status sward_project_product(const sward_instance* instance, const sward_selection* selection,
                                   const sward_matrix* output_gradient, const sward_matrix* input, void* workspace,
                                   size_t workspace_bytes, double beta, const sward_matrix* gradient);

typedef enum sward_transpose SWARD_OF_INT { SWARD_NO_TRANSPOSE = 0, SWARD_TRANSPOSE = 1 } sward_transpose;

/* C = alpha op(A) op(B) + beta C, with op(A) of m x k, op(B) of k x n and C of m x n. A and B have one type, and C the
 * same, or SWARD_FLOAT32 for factors in SWARD_BFLOAT16. beta = 0 overwrites C. */
sward_status sward_matrix_product(const sward_instance* instance, sward_transpose transpose_a,
                                  sward_transpose transpose_b, double alpha, const sward_matrix* a,
                                  const sward_matrix* b, double beta, const sward_matrix* c);

/* Adam's constants in one update. */
typedef struct sward_adam_step {
  double beta1;
  double beta2;
  double epsilon;
  int64_t count;         /* updates of the moments, this one included: 1 in the first */
  double gradient_scale; /* a factor on the gradient, for clipping; 1 for none */
} sward_adam_step;

/* How what is stored in SWARD_BFLOAT16 is rounded. */
typedef struct sward_rounding {
  int stochastic;  /* of weights; 0: to the nearest. Moments are rounded stochastically, always. */
  sward_draw draw; /* another one for every matrix and every update */
} sward_rounding;

/* Adam on the compressed gradient, and its step on the selected rows (columns) of the weight, in one pass:
 *   W[rows] = (1 - decay) W[rows] - rate scale m / (sqrt(v) + epsilon),   m and v corrected for their bias
 * weight is m x n; gradient and moments r x n (m x r for columns). The gradient is of SWARD_FLOAT32, or of
 * SWARD_FLOAT64 if the weight is; both moments are of its type, or both of SWARD_BFLOAT16 if it is SWARD_FLOAT32.
 * rounding may be NULL where nothing is in SWARD_BFLOAT16. */
sward_status sward_grass_update(const sward_instance* instance, const sward_selection* selection,
                                const sward_adam_step* step, double rate, double decay, const sward_rounding* rounding,
                                const sward_matrix* gradient, const sward_matrix* first_moment,
                                const sward_matrix* second_moment, const sward_matrix* weight);

/* ---- Optimizer ---------------------------------------------------------------------------------------------- */

/* Grass, or AdamW in full, on the caller's matrices, on one rank or on several:
 *
 *   sward_optimizer_begin_update(optimizer, instance, learning_rate, 1);
 *   for each matrix:  sward_optimizer_accept_factors(optimizer, number, &dY, &X), or
 *                     sward_optimizer_accept_gradient(optimizer, number, &G)
 *   sward_optimizer_update(optimizer);
 *
 * Asynchronous on the instance of begin_update, without allocation, unless clip is set: the norm is then waited for. */
typedef struct sward_optimizer sward_optimizer;

/* A matrix to be trained, m outputs x n inputs; a vector is one of a single row. */
typedef struct sward_trained_matrix {
  const char* name;    /* for texts and for the state, copied; not empty, each another */
  sward_matrix weight; /* its memory stays the caller's, and has to stay where it is */
  int is_projected;    /* 0: AdamW in full */
  int decays;          /* whether weight decay acts on it */
  int message;         /* gradients of the same message are summed over ranks together; its matrices are neighbours */
} sward_trained_matrix;

typedef enum sward_side_rule SWARD_OF_INT {
  SWARD_SMALLER_SIDE = 0,
  SWARD_ROWS_SIDE = 1,
  SWARD_COLUMNS_SIDE = 2
} sward_side_rule;

/* In what moments are kept: in the type that they are computed in, in bfloat16, or in 8 bits an element. */
typedef enum sward_state_type SWARD_OF_INT {
  SWARD_STATE_FULL = 0,
  SWARD_STATE_BFLOAT16 = 1,
  SWARD_STATE_INT8 = 2
} sward_state_type;

/* To be filled by sward_optimizer_options_default, so that a program that sets a few keeps compiling when there are
 * more. rank has no default. */
typedef struct sward_optimizer_options {
  int64_t rank;             /* rows kept of each projected matrix, clamped to the dimension selected from; 1 or more */
  sward_scheme scheme;      /* SWARD_NORM */
  int64_t refresh_interval; /* updates between two selections: 200 */
  int64_t refresh_warmup;   /* updates over which the learning rate ramps after a selection: 20; 0: none */
  double scale;             /* a factor on the step of projected matrices: 0.25 */
  sward_side_rule side;     /* SWARD_SMALLER_SIDE */
  uint64_t selection_seed;  /* the same on all ranks: 0 */
  double beta1;             /* 0.9 */
  double beta2;             /* 0.999 */
  double epsilon;           /* 1e-8 */
  double weight_decay;      /* 0 */
  sward_state_type state;   /* SWARD_STATE_FULL */
  double clip;              /* bound on the norm of all gradients together; 0, the default: off */
  int stochastic_rounding;  /* of weights in bfloat16: 1 */
  uint64_t rounding_seed;   /* 0 */
  int bfloat16_messages;    /* gradients are rounded before they are summed over ranks: 0 */
} sward_optimizer_options;

sward_status sward_optimizer_options_default(sward_optimizer_options* options);

/* Adds up `count` elements of `data` over all ranks, in place, by whatever the caller communicates with: behind what
 * the stream holds, and before what is queued on it when this returns. Called with the same messages in the same order
 * on all ranks, from inside of the functions below, and not to call these. stream: the cudaStream_t of the instance, or
 * NULL on hosts, where the work is done. what: a name, such as "the gradient of w1", during the call.
 * Returns 0, or anything else to end the call under way with SWARD_COMMUNICATION. */
typedef int (*sward_add_up)(void* context, void* stream, void* data, size_t count, sward_type type, const char* what);

/* Ranks that train together; each has an optimizer of the same matrices, and its own gradients. */
typedef struct sward_group {
  int rank; /* 0 to size - 1 */
  int size;
  sward_add_up add_up;
  void* context; /* handed to add_up */
} sward_group;

/* matrices: `count` of them, of one type: SWARD_FLOAT32, SWARD_BFLOAT16, or on hosts SWARD_FLOAT64. tokens: the most
 * rows of dY and X in one sward_optimizer_accept_factors. group: NULL for one rank; copied. All memory is taken here.
 */
sward_status sward_optimizer_create(const sward_instance* instance, const sward_trained_matrix* matrices, int64_t count,
                                    int64_t tokens, const sward_optimizer_options* options, const sward_group* group,
                                    sward_optimizer** optimizer);

/* Waits for the device. NULL is left out. */
sward_status sward_optimizer_destroy(sward_optimizer* optimizer);

/* passes: so many calls of accept_factors come for each matrix. An update that was begun but not made, say because
 * add_up failed, leaves weights as they are. */
sward_status sward_optimizer_begin_update(sward_optimizer* optimizer, const sward_instance* instance,
                                          double learning_rate, int passes);

/* The factors of the gradient dY^T X of one pass: dY tokens x m, X tokens x n, of the weights' type. matrix: its place
 * in the list, from 0. The sum over passes and ranks counts, so that a mean is the caller's to take. */
sward_status sward_optimizer_accept_factors(sward_optimizer* optimizer, int matrix, const sward_matrix* output_gradient,
                                            const sward_matrix* input);

/* The gradient of all passes together, m x n, in place of factors; SWARD_FLOAT32 for weights in SWARD_BFLOAT16, else of
 * the weights' type. */
sward_status sward_optimizer_accept_gradient(sward_optimizer* optimizer, int matrix, const sward_matrix* gradient);

/* Behind the last gradient: applies them. SWARD_INVALID_ARGUMENT names a matrix whose gradient is missing. */
sward_status sward_optimizer_update(sward_optimizer* optimizer);

/* Before sward_optimizer_update, or instead of it: the norm of all gradients after the sum over ranks (of projected
 * matrices that of the selected rows). nonfinite, unless NULL: the name of the first matrix whose gradient is not
 * finite, or NULL if all are; stays until the next call. Waits. */
sward_status sward_optimizer_gradient_norm(sward_optimizer* optimizer, double* norm, const char** nonfinite);

/* Updates made so far. */
sward_status sward_optimizer_updates(const sward_optimizer* optimizer, int64_t* updates);

/* Of state, gradients and workspace. */
sward_status sward_optimizer_memory_bytes(const sward_optimizer* optimizer, size_t* bytes);

/* What a rank gives to add_up in an update: in one that chooses rows (refresh not 0), or in any other. */
sward_status sward_optimizer_message_bytes(const sward_optimizer* optimizer, int refresh, size_t* bytes);

/* Which rows or columns of a projected matrix are selected: pointers into the optimizer, to be read. */
sward_status sward_optimizer_selection(const sward_optimizer* optimizer, int matrix, sward_selection* selection);

/* One array of an optimizer's state. Between two updates, behind a fence, it may be read, and written with what an
 * optimizer that was made alike had there, which then goes on to the same bits. Pointers stay until the end. */
typedef struct sward_state_array {
  const char* name; /* such as "w1/first_moment" */
  void* data;       /* where the instance works, or on the host */
  int64_t rows;
  int64_t columns;
  int64_t stride; /* elements from one row to the next */
  sward_type type;
  int on_host;
} sward_state_array;

sward_status sward_optimizer_state_count(const sward_optimizer* optimizer, int64_t* count);
/* number: from 0, in an order that is always the same. */
sward_status sward_optimizer_state_array(const sward_optimizer* optimizer, int64_t number, sward_state_array* array);

/* After a state was written: SWARD_INVALID_ARGUMENT with the array's name where selected rows do not exist. Waits. */
sward_status sward_optimizer_check_state(sward_optimizer* optimizer);

#ifdef __cplusplus
}
#endif
#endif
