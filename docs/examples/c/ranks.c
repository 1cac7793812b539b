/* Every rank brings the gradients of its own data; all end with the same weights. */
#include <mpi.h>
#include <stdio.h>
#include <string.h>

#include "sward.h"

enum { outputs = 12, inputs = 20, tokens = 8, updates = 5 };

static float weight[outputs][inputs], input[tokens][inputs], output_gradient[tokens][outputs];

static int add_up(void* context, void* stream, void* data, size_t count, sward_type type, const char* what) {
  (void)stream, (void)what;
  return MPI_Allreduce(MPI_IN_PLACE, data, (int)count, type == SWARD_FLOAT64 ? MPI_DOUBLE : MPI_FLOAT, MPI_SUM,
                       *(MPI_Comm*)context);
}

static void check(sward_status status) {
  if (status == SWARD_SUCCESS) return;
  fprintf(stderr, "%s: %s\n", sward_status_name(status), sward_last_error());
  MPI_Abort(MPI_COMM_WORLD, 1);
}

static void make_data(int rank, int update) {
  for (int t = 0; t < tokens; ++t) {
    for (int i = 0; i < outputs; ++i) output_gradient[t][i] = (float)((t + 3 * i + 5 * rank + update) % 7 - 3);
    for (int j = 0; j < inputs; ++j) input[t][j] = (float)((2 * t + j + rank + update) % 5 - 2);
  }
}

static void train(MPI_Comm communicator, int rank, int size) {
  sward_instance* instance = NULL;
  check(sward_instance_create(NULL, &instance));
  sward_trained_matrix matrix = {"w", {weight, outputs, inputs, inputs, SWARD_FLOAT32}, 1, 1, 0};
  sward_optimizer_options options;
  check(sward_optimizer_options_default(&options));
  options.rank = 4;
  const sward_group group = {rank, size, add_up, &communicator};
  sward_optimizer* optimizer = NULL;
  check(sward_optimizer_create(instance, &matrix, 1, tokens, &options, &group, &optimizer));

  const sward_matrix dy = {output_gradient, tokens, outputs, outputs, SWARD_FLOAT32};
  const sward_matrix x = {input, tokens, inputs, inputs, SWARD_FLOAT32};
  for (int update = 0; update < updates; ++update) {
    make_data(rank, update);
    check(sward_optimizer_begin_update(optimizer, instance, 0.01, 1));
    check(sward_optimizer_accept_factors(optimizer, 0, &dy, &x));
    check(sward_optimizer_update(optimizer));
    check(sward_instance_fence(instance));
  }
  check(sward_optimizer_destroy(optimizer));
  check(sward_instance_destroy(instance));
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0, size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  check(sward_initialize());
  train(MPI_COMM_WORLD, rank, size);
  check(sward_finalize());

  static const float zeros[outputs][inputs];
  static float of_first[outputs][inputs];
  memcpy(of_first, weight, sizeof weight);
  MPI_Bcast(of_first, outputs * inputs, MPI_FLOAT, 0, MPI_COMM_WORLD);
  int differs = memcmp(of_first, weight, sizeof weight) != 0 || memcmp(weight, zeros, sizeof weight) == 0;
  MPI_Allreduce(MPI_IN_PLACE, &differs, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  if (rank == 0) printf("%s on %d ranks\n", differs ? "different weights" : "the same weights", size);
  MPI_Finalize();
  return differs;
}
