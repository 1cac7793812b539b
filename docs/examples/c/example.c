/* Learns a matrix A from products with it: Grass makes the mean of |W x - A x|^2 / 2 small. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sward.h"

enum { outputs = 6, inputs = 8, tokens = 32, updates = 300 };

static float wanted[outputs][inputs], weight[outputs][inputs];
static float input[tokens][inputs], output_gradient[tokens][outputs];

static void check(sward_status status) {
  if (status == SWARD_SUCCESS) return;
  fprintf(stderr, "%s: %s\n", sward_status_name(status), sward_last_error());
  exit(1);
}

/* Writes dY = (W x - A x) / tokens of every token, and returns the mean. */
static double loss_and_gradient(void) {
  double sum = 0;
  for (int t = 0; t < tokens; ++t) {
    for (int i = 0; i < outputs; ++i) {
      float distance = 0;
      for (int j = 0; j < inputs; ++j) distance += (weight[i][j] - wanted[i][j]) * input[t][j];
      output_gradient[t][i] = distance / tokens;
      sum += 0.5 * distance * distance / tokens;
    }
  }
  return sum;
}

int main(void) {
  for (int i = 0; i < outputs; ++i)
    for (int j = 0; j < inputs; ++j) wanted[i][j] = sinf((float)(i * inputs + j));
  for (int t = 0; t < tokens; ++t)
    for (int j = 0; j < inputs; ++j) input[t][j] = cosf(1.7F * (float)(t * inputs + j));

  check(sward_initialize());
  sward_instance* instance = NULL;
  check(sward_instance_create(NULL, &instance));

  sward_trained_matrix matrix = {"w", {weight, outputs, inputs, inputs, SWARD_FLOAT32}, 1, 1, 0};
  sward_optimizer_options options;
  check(sward_optimizer_options_default(&options));
  options.rank = 3;
  options.refresh_interval = 10;
  options.refresh_warmup = 0;
  options.scale = 1.0;
  sward_optimizer* optimizer = NULL;
  check(sward_optimizer_create(instance, &matrix, 1, tokens, &options, NULL, &optimizer));

  const sward_matrix dy = {output_gradient, tokens, outputs, outputs, SWARD_FLOAT32};
  const sward_matrix x = {input, tokens, inputs, inputs, SWARD_FLOAT32};
  const double first = loss_and_gradient();
  for (int update = 0; update < updates; ++update) {
    check(sward_optimizer_begin_update(optimizer, instance, 0.02, 1));
    check(sward_optimizer_accept_factors(optimizer, 0, &dy, &x));
    check(sward_optimizer_update(optimizer));
    check(sward_instance_fence(instance)); /* the loop above reads what the instance writes */
    loss_and_gradient();
  }
  const double last = loss_and_gradient();
  printf("loss %.4f, after %d updates %.4f\n", first, updates, last);

  check(sward_optimizer_destroy(optimizer));
  check(sward_instance_destroy(instance));
  check(sward_finalize());
  return last < 0.01 * first ? 0 : 1;
}
