#include "Sward_COperands.hpp"

#include <limits>

namespace Sward::C {

namespace {

constexpr std::int64_t most = std::numeric_limits<int>::max();

void check_memory(const char* function, const char* argument, const void* data, std::size_t size) {
  require_pointer(function, argument, data);
  if (reinterpret_cast<std::uintptr_t>(data) % size != 0)
    refuse(function, std::string(argument) + " is not aligned to its elements of " + std::to_string(size) + " bytes");
}

}  // namespace

std::size_t size_of(sward_type type) {
  switch (type) {
    case SWARD_FLOAT32:
      return sizeof(float);
    case SWARD_FLOAT64:
      return sizeof(double);
    case SWARD_BFLOAT16:
      return sizeof(BFloat16);
    default:
      return 0;
  }
}

const char* name_of(sward_type type) {
  switch (type) {
    case SWARD_FLOAT32:
      return "SWARD_FLOAT32";
    case SWARD_FLOAT64:
      return "SWARD_FLOAT64";
    case SWARD_BFLOAT16:
      return "SWARD_BFLOAT16";
    default:
      return "none of SWARD_FLOAT32, SWARD_FLOAT64 and SWARD_BFLOAT16";
  }
}

void check_matrix(const char* function, const char* argument, const sward_matrix* matrix) {
  require_pointer(function, argument, matrix);
  const std::string name = argument;
  const std::size_t size = size_of(matrix->type);
  if (size == 0) refuse(function, "the type of " + name + " is " + name_of(matrix->type));
  // Most calls come through here without a text being made.
  const bool fits = matrix->rows >= 0 && matrix->rows <= most && matrix->columns >= 0 && matrix->columns <= most &&
                    matrix->stride >= matrix->columns && matrix->stride <= most;
  if (!fits)
    refuse(function, name + " has " + std::to_string(matrix->rows) + " rows, " + std::to_string(matrix->columns) +
                         " columns and a stride of " + std::to_string(matrix->stride) +
                         ", wanted 0 to 2^31 - 1 and a stride that is no less than the columns");
  if (matrix->rows > 0 && matrix->columns > 0) check_memory(function, argument, matrix->data, size);
}

void check_matrix(const char* function, const char* argument, const sward_matrix* matrix, sward_type wanted) {
  check_matrix(function, argument, matrix);
  if (matrix->type != wanted)
    refuse(function,
           "the type of " + std::string(argument) + " is " + name_of(matrix->type) + ", wanted " + name_of(wanted));
}

void check_list(const char* function, const char* argument, const void* list, std::int64_t count, std::size_t size) {
  require_range(function, argument, count, 0, most);
  if (count > 0) check_memory(function, argument, list, size);
}

Side side_of(const char* function, sward_side side) {
  if (side == SWARD_ROWS) return Side::rows;
  if (side != SWARD_COLUMNS) refuse(function, "the side is neither SWARD_ROWS nor SWARD_COLUMNS");
  return Side::columns;
}

Selection scheme_of(const char* function, sward_scheme scheme) {
  static_assert(static_cast<int>(Selection::top_r) == SWARD_TOP_R &&
                    static_cast<int>(Selection::uniform) == SWARD_UNIFORM &&
                    static_cast<int>(Selection::uniform_replacement) == SWARD_UNIFORM_REPLACEMENT,
                "Sward: the schemes of both interfaces have the same order");
  require_range(function, "the scheme", scheme, SWARD_TOP_R, SWARD_UNIFORM_REPLACEMENT);
  return static_cast<Selection>(scheme);
}

Draw draw_of(const char* function, const sward_draw& draw) {
  if (draw.step >> 48U != 0) refuse(function, "draw.step is " + std::to_string(draw.step) + ", wanted less than 2^48");
  return {draw.seed, draw.step, draw.matrix};
}

RowSelection<Space> selection_of(const char* function, const sward_selection* selection) {
  require_pointer(function, "selection", selection);
  require_range(function, "selection.extent", selection->extent, 1, most);
  // One that was drawn with replacement may have more slots than there are rows.
  require_range(function, "selection.count", selection->count, 1, most);
  check_memory(function, "selection.rows", selection->rows, sizeof(int));
  check_memory(function, "selection.scale", selection->scale, sizeof(float));
  const auto count = static_cast<std::size_t>(selection->count);
  return {RowSelection<Space>::List<int>(selection->rows, count),
          RowSelection<Space>::List<float>(selection->scale, count), static_cast<int>(selection->extent),
          side_of(function, selection->side)};
}

}  // namespace Sward::C
