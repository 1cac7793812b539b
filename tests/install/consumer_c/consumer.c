/* Kernels against loops in double, the optimizer on two ranks of which one is emulated, and what is refused. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sward.h"

enum { m = 12, n = 7, r = 4, tokens = 9 };

static int failures = 0;

static void expect_at(int line, int holds, const char* what) {
  if (holds) return;
  ++failures;
  fprintf(stderr, "line %d: %s (last error: %s)\n", line, what, sward_last_error());
}
#define EXPECT(condition) expect_at(__LINE__, (condition), #condition)
#define SUCCEEDS(call) expect_at(__LINE__, (call) == SWARD_SUCCESS, #call)

/* A status, and parts of the text. */
static void expect_failure(int line, sward_status status, sward_status wanted, const char* first, const char* second) {
  const char* text = sward_last_error();
  expect_at(line, status == wanted && strstr(text, first) != NULL && strstr(text, second) != NULL,
            sward_status_name(wanted));
}
#define FAILS(call, status, first, second) expect_failure(__LINE__, (call), (status), (first), (second))

static double element(int row, int column) { return sin(3.0 * row + 0.7 * column) * (1 + (5 * row) % m); }

static sward_matrix matrix_of(void* data, int rows, int columns, sward_type type) {
  const sward_matrix matrix = {data, rows, columns, columns, type};
  return matrix;
}

static int are_near(double a, double b) { return fabs(a - b) <= 1e-12 * (1 + fabs(b)); }

/* The rows with the largest norms, ascending. */
static void largest_rows(double norms[m], int rows[r]) {
  int count = 0;
  for (int i = 0; i < m; ++i) {
    double sum = 0;
    for (int j = 0; j < n; ++j) sum += element(i, j) * element(i, j);
    norms[i] = sqrt(sum);
  }
  for (int i = 0; i < m; ++i) {
    int larger = 0;
    for (int k = 0; k < m; ++k) larger += norms[k] > norms[i];
    if (larger < r) rows[count++] = i;
  }
}

static void check_kernels(const sward_instance* instance) {
  double values[m][n], norms[m], compressed[r][n], gram[r][r], wanted_norms[m];
  int rows[r], wanted[r];
  float scale[r];
  _Alignas(8) unsigned char keys[m * 12];
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) values[i][j] = element(i, j);
  largest_rows(wanted_norms, wanted);
  const sward_selection selection = {rows, scale, r, m, SWARD_ROWS};
  const sward_matrix v = matrix_of(values, m, n, SWARD_FLOAT64);
  const sward_matrix c = matrix_of(compressed, r, n, SWARD_FLOAT64);
  const sward_matrix g = matrix_of(gram, r, r, SWARD_FLOAT64);

  SUCCEEDS(sward_row_norms(instance, &v, SWARD_ROWS, norms, m));
  EXPECT(sward_selection_workspace_bytes(m) == sizeof keys);
  SUCCEEDS(sward_select_top_rows(instance, norms, keys, sizeof keys, &selection));
  SUCCEEDS(sward_project_rows(instance, &selection, &v, &c));
  SUCCEEDS(sward_matrix_product(instance, SWARD_NO_TRANSPOSE, SWARD_TRANSPOSE, 2.0, &c, &c, 0.0, &g));
  SUCCEEDS(sward_instance_fence(instance));
  for (int i = 0; i < m; ++i) EXPECT(are_near(norms[i], wanted_norms[i]));
  for (int i = 0; i < r; ++i) {
    EXPECT(rows[i] == wanted[i] && scale[i] == 1.0F);
    for (int j = 0; j < n; ++j) EXPECT(compressed[i][j] == element(wanted[i], j));
    for (int k = 0; k < r; ++k) {
      double sum = 0;
      for (int j = 0; j < n; ++j) sum += 2 * element(wanted[i], j) * element(wanted[k], j);
      EXPECT(are_near(gram[i][k], sum));
    }
  }
  const sward_draw draw = {5, 1, 0};
  SUCCEEDS(sward_sample_rows(instance, SWARD_NORM, norms, &draw, keys, sizeof keys, &selection));
  for (int i = 0; i < r; ++i) EXPECT(rows[i] >= 0 && rows[i] < m && (i == 0 || rows[i] > rows[i - 1]));
}

/* Rows 1, 2, 5 and 11 of a gradient that is never whole, and one update of these rows of a weight in wider rows. */
static void check_update(const sward_instance* instance) {
  enum { stride = n + 2 };
  int rows[r] = {1, 2, 5, 11};
  float scale[r] = {1, 1, 2, 1};
  double dy[tokens][m], x[tokens][n], gradient[r][n], first[r][n], second[r][n], weight[m][stride],
      gathered[tokens * r];
  for (int t = 0; t < tokens; ++t) {
    for (int i = 0; i < m; ++i) dy[t][i] = element(t, i);
    for (int j = 0; j < n; ++j) x[t][j] = element(t + 3, j);
  }
  memset(first, 0, sizeof first);
  memset(second, 0, sizeof second);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < stride; ++j) weight[i][j] = 0.1 * i + j;
  const sward_selection selection = {rows, scale, r, m, SWARD_ROWS};
  const sward_matrix y = matrix_of(dy, tokens, m, SWARD_FLOAT64);
  const sward_matrix inputs = matrix_of(x, tokens, n, SWARD_FLOAT64);
  const sward_matrix g = matrix_of(gradient, r, n, SWARD_FLOAT64);
  const sward_matrix v1 = matrix_of(first, r, n, SWARD_FLOAT64);
  const sward_matrix v2 = matrix_of(second, r, n, SWARD_FLOAT64);
  const sward_matrix w = {weight, m, n, stride, SWARD_FLOAT64};
  const sward_adam_step step = {0.9, 0.99, 1e-8, 1, 1.0};

  EXPECT(sward_project_product_workspace_bytes(tokens, r, SWARD_FLOAT64) == sizeof gathered);
  SUCCEEDS(sward_project_product(instance, &selection, &y, &inputs, gathered, sizeof gathered, 0.0, &g));
  SUCCEEDS(sward_grass_update(instance, &selection, &step, 0.5, 0.1, NULL, &g, &v1, &v2, &w));
  SUCCEEDS(sward_instance_fence(instance));
  for (int i = 0, slot = 0; i < m; ++i) {
    const int is_selected = slot < r && rows[slot] == i;
    for (int j = 0; j < stride; ++j) {
      double wanted = 0.1 * i + j;
      if (is_selected && j < n) {
        double sum = 0;
        for (int t = 0; t < tokens; ++t) sum += dy[t][i] * x[t][j];
        EXPECT(are_near(gradient[slot][j], sum));
        wanted = 0.9 * wanted - 0.5 * scale[slot] * sum / (fabs(sum) + 1e-8);
      }
      EXPECT(are_near(weight[i][j], wanted));
    }
    slot += is_selected;
  }
}

/* The other rank, which has the same gradients. */
struct Other {
  int calls;
  int code;
};

static int add_other(void* context, void* stream, void* data, size_t count, sward_type type, const char* what) {
  struct Other* other = context;
  ++other->calls;
  if (other->code != 0) return other->code;
  EXPECT(stream == NULL && type == SWARD_FLOAT64);
  double* values = data;
  if (strcmp(what, "a number of each rank") == 0) /* which ranks of debug builds compare */
    for (size_t i = 0; i < count / 2; ++i) values[count / 2 + i] = values[i];
  else
    for (size_t i = 0; i < count; ++i) values[i] *= 2;
  return 0;
}

/* One update; a gradient of one rank is the sum of two halves. */
static sward_status update(sward_optimizer* optimizer, const sward_instance* instance, int number, double half) {
  double dy[tokens][m], x[tokens][n], bias[1][n];
  for (int t = 0; t < tokens; ++t) {
    for (int i = 0; i < m; ++i) dy[t][i] = half * element(t + number, i);
    for (int j = 0; j < n; ++j) x[t][j] = element(t + 3, j + number);
  }
  for (int j = 0; j < n; ++j) bias[0][j] = half * element(number, j);
  const sward_matrix y = matrix_of(dy, tokens, m, SWARD_FLOAT64);
  const sward_matrix inputs = matrix_of(x, tokens, n, SWARD_FLOAT64);
  const sward_matrix b = matrix_of(bias, 1, n, SWARD_FLOAT64);
  sward_status status = sward_optimizer_begin_update(optimizer, instance, 0.05, 1);
  if (status == SWARD_SUCCESS) status = sward_optimizer_accept_factors(optimizer, 0, &y, &inputs);
  if (status == SWARD_SUCCESS) status = sward_optimizer_accept_gradient(optimizer, 1, &b);
  if (status == SWARD_SUCCESS) status = sward_optimizer_update(optimizer);
  if (status == SWARD_SUCCESS) status = sward_instance_fence(instance);
  return status;
}

static void check_optimizer(const sward_instance* instance) {
  double weights[2][m][n], biases[2][1][n];
  sward_optimizer* optimizers[2] = {NULL, NULL};
  struct Other other = {0, 0};
  const sward_group group = {0, 2, add_other, &other};
  sward_optimizer_options options;
  SUCCEEDS(sward_optimizer_options_default(&options));
  options.rank = r;
  options.refresh_interval = 3;
  options.weight_decay = 0.1;
  for (int k = 0; k < 2; ++k) {
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < n; ++j) weights[k][i][j] = element(j, i);
    memset(biases[k], 0, sizeof biases[k]);
    const sward_trained_matrix list[2] = {{"w", matrix_of(weights[k], m, n, SWARD_FLOAT64), 1, 1, 0},
                                          {"b", matrix_of(biases[k], 1, n, SWARD_FLOAT64), 0, 0, 1}};
    SUCCEEDS(sward_optimizer_create(instance, list, 2, tokens, &options, k == 0 ? NULL : &group, &optimizers[k]));
  }
  for (int number = 0; number < 5; ++number) {
    SUCCEEDS(update(optimizers[0], instance, number, 1.0));
    if (number == 2) {
      other.code = 7;
      FAILS(update(optimizers[1], instance, number, 0.5), SWARD_COMMUNICATION, "add_up returned 7", "");
      other.code = 0;
    }
    SUCCEEDS(update(optimizers[1], instance, number, 0.5));
    EXPECT(memcmp(weights[0], weights[1], sizeof weights[0]) == 0);
    EXPECT(memcmp(biases[0], biases[1], sizeof biases[0]) == 0);
  }
  EXPECT(other.calls >= 10);
  EXPECT(biases[0][0][0] != 0.0);
  int64_t updates = 0, arrays = 0;
  SUCCEEDS(sward_optimizer_updates(optimizers[1], &updates));
  SUCCEEDS(sward_optimizer_state_count(optimizers[1], &arrays));
  EXPECT(updates == 5 && arrays > 4);
  for (int k = 0; k < 2; ++k) SUCCEEDS(sward_optimizer_destroy(optimizers[k]));
}

static void check_refusals(const sward_instance* instance) {
  double values[m][n], norms[m];
  const sward_matrix v = matrix_of(values, m, n, SWARD_FLOAT64);
  FAILS(sward_row_norms(instance, &v, SWARD_ROWS, norms, m - 1), SWARD_EXTENT_MISMATCH, "(11)", "(12)");
  FAILS(sward_row_norms(NULL, &v, SWARD_ROWS, norms, m), SWARD_INVALID_ARGUMENT, "sward_row_norms", "instance is NULL");
  sward_instance* other = NULL;
  FAILS(sward_instance_create(values, &other), SWARD_INVALID_ARGUMENT, "stream", "hosts");
}

int main(void) {
  int major = -1, minor = -1, patch = -1;
  sward_version(&major, &minor, &patch);
  EXPECT(major == SWARD_VERSION_MAJOR && minor == SWARD_VERSION_MINOR && patch == SWARD_VERSION_PATCH);
  sward_instance* instance = NULL;
  EXPECT(strcmp(sward_last_error(), "") == 0);
  FAILS(sward_instance_create(NULL, &instance), SWARD_NOT_INITIALIZED, "sward_instance_create", "sward_initialize");
  FAILS(sward_finalize(), SWARD_NOT_INITIALIZED, "sward_finalize", "");

  SUCCEEDS(sward_initialize());
  SUCCEEDS(sward_initialize());
  SUCCEEDS(sward_instance_create(NULL, &instance));
  check_kernels(instance);
  check_update(instance);
  check_optimizer(instance);
  check_refusals(instance);

  SUCCEEDS(sward_finalize());
  FAILS(sward_finalize(), SWARD_INVALID_ARGUMENT, "1 instances", "left");
  SUCCEEDS(sward_instance_destroy(instance));
  SUCCEEDS(sward_finalize());
  FAILS(sward_initialize(), SWARD_NOT_INITIALIZED, "ended", "once");
  printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
