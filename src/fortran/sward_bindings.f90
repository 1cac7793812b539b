!> The C interface of Sward as it is: types, constants and calls of sward.h, which documents them. Memory that the
!> library works in is handed over as addresses, which on GPUs are those of the device.
module sward_bindings
  use, intrinsic :: iso_c_binding, only: c_ptr, c_funptr, c_int, c_int32_t, c_int64_t, c_size_t, c_double, c_null_ptr, &
    c_null_funptr
  implicit none
  private :: c_ptr, c_funptr, c_int, c_int32_t, c_int64_t, c_size_t, c_double, c_null_ptr, c_null_funptr

  ! sward_status
  integer(c_int), parameter :: SWARD_SUCCESS = 0, SWARD_INVALID_ARGUMENT = 1, SWARD_EXTENT_MISMATCH = 2, &
    SWARD_OUT_OF_MEMORY = 3, SWARD_NOT_INITIALIZED = 4, SWARD_COMMUNICATION = 5, SWARD_INTERNAL = 6
  ! sward_type
  integer(c_int), parameter :: SWARD_FLOAT32 = 1, SWARD_FLOAT64 = 2, SWARD_BFLOAT16 = 3, SWARD_INT32 = 4, &
    SWARD_INT64 = 5, SWARD_UINT8 = 6
  ! sward_side
  integer(c_int), parameter :: SWARD_ROWS = 0, SWARD_COLUMNS = 1
  ! sward_scheme
  integer(c_int), parameter :: SWARD_TOP_R = 0, SWARD_NORM = 1, SWARD_NORM_SQUARED = 2, SWARD_UNIFORM = 3, &
    SWARD_NORM_REPLACEMENT = 4, SWARD_NORM_SQUARED_REPLACEMENT = 5, SWARD_UNIFORM_REPLACEMENT = 6
  ! sward_transpose
  integer(c_int), parameter :: SWARD_NO_TRANSPOSE = 0, SWARD_TRANSPOSE = 1
  ! sward_side_rule
  integer(c_int), parameter :: SWARD_SMALLER_SIDE = 0, SWARD_ROWS_SIDE = 1, SWARD_COLUMNS_SIDE = 2
  ! sward_state_type
  integer(c_int), parameter :: SWARD_STATE_FULL = 0, SWARD_STATE_BFLOAT16 = 1, SWARD_STATE_INT8 = 2

  type, bind(C) :: sward_matrix
    type(c_ptr) :: data = c_null_ptr
    integer(c_int64_t) :: rows = 0
    integer(c_int64_t) :: columns = 0
    integer(c_int64_t) :: stride = 0
    integer(c_int) :: type = 0
  end type

  type, bind(C) :: sward_selection
    type(c_ptr) :: rows = c_null_ptr
    type(c_ptr) :: scale = c_null_ptr
    integer(c_int64_t) :: count = 0
    integer(c_int64_t) :: extent = 0
    integer(c_int) :: side = SWARD_ROWS
  end type

  type, bind(C) :: sward_draw
    integer(c_int64_t) :: seed = 0
    integer(c_int64_t) :: step = 0
    integer(c_int32_t) :: matrix = 0
  end type

  type, bind(C) :: sward_adam_step
    real(c_double) :: beta1 = 0.9d0
    real(c_double) :: beta2 = 0.999d0
    real(c_double) :: epsilon = 1d-8
    integer(c_int64_t) :: count = 1
    real(c_double) :: gradient_scale = 1d0
  end type

  type, bind(C) :: sward_rounding
    integer(c_int) :: stochastic = 0
    type(sward_draw) :: draw
  end type

  type, bind(C) :: sward_optimizer_options
    integer(c_int64_t) :: rank
    integer(c_int) :: scheme
    integer(c_int64_t) :: refresh_interval
    integer(c_int64_t) :: refresh_warmup
    real(c_double) :: scale
    integer(c_int) :: side
    integer(c_int64_t) :: selection_seed
    real(c_double) :: beta1
    real(c_double) :: beta2
    real(c_double) :: epsilon
    real(c_double) :: weight_decay
    integer(c_int) :: state
    real(c_double) :: clip
    integer(c_int) :: stochastic_rounding
    integer(c_int64_t) :: rounding_seed
    integer(c_int) :: bfloat16_messages
  end type

  !> add_up: c_funloc of a procedure with the interface sward_add_up.
  type, bind(C) :: sward_group
    integer(c_int) :: rank = 0
    integer(c_int) :: size = 1
    type(c_funptr) :: add_up = c_null_funptr
    type(c_ptr) :: context = c_null_ptr
  end type

  type, bind(C) :: sward_state_array
    type(c_ptr) :: name = c_null_ptr
    type(c_ptr) :: data = c_null_ptr
    integer(c_int64_t) :: rows = 0
    integer(c_int64_t) :: columns = 0
    integer(c_int64_t) :: stride = 0
    integer(c_int) :: type = 0
    integer(c_int) :: on_host = 0
  end type

  !> name is a string of C; sward_create_optimizer takes sward_parameter instead.
  type, bind(C) :: sward_trained_matrix
    type(c_ptr) :: name = c_null_ptr
    type(sward_matrix) :: weight
    integer(c_int) :: is_projected = 1
    integer(c_int) :: decays = 1
    integer(c_int) :: message = 0
  end type

  abstract interface
    !> Adds up count elements of data over all ranks, in place; returns 0, or anything else where that fails.
    function sward_add_up(context, stream, data, count, type, what) bind(C) result(code)
      import :: c_ptr, c_size_t, c_int
      type(c_ptr), value :: context, stream, data
      integer(c_size_t), value :: count
      integer(c_int), value :: type
      type(c_ptr), value :: what
      integer(c_int) :: code
    end function
  end interface

  interface
    subroutine sward_version(major, minor, patch) bind(C)
      import :: c_int
      integer(c_int), intent(out) :: major, minor, patch
    end subroutine

    function sward_initialize() bind(C) result(status)
      import :: c_int
      integer(c_int) :: status
    end function

    function sward_finalize() bind(C) result(status)
      import :: c_int
      integer(c_int) :: status
    end function

    function sward_instance_create(stream, instance) bind(C) result(status)
      import :: c_ptr, c_int
      type(c_ptr), value :: stream
      type(c_ptr), intent(out) :: instance
      integer(c_int) :: status
    end function

    function sward_instance_fence(instance) bind(C) result(status)
      import :: c_ptr, c_int
      type(c_ptr), value :: instance
      integer(c_int) :: status
    end function

    function sward_instance_destroy(instance) bind(C) result(status)
      import :: c_ptr, c_int
      type(c_ptr), value :: instance
      integer(c_int) :: status
    end function

    function sward_row_norms(instance, values, side, norms, count) bind(C) result(status)
      import :: c_ptr, sward_matrix, c_int, c_int64_t
      type(c_ptr), value :: instance
      type(sward_matrix), intent(in) :: values
      integer(c_int), value :: side
      type(c_ptr), value :: norms
      integer(c_int64_t), value :: count
      integer(c_int) :: status
    end function

    function sward_select_top_rows(instance, norms, workspace, workspace_bytes, selection) bind(C) result(status)
      import :: c_ptr, c_size_t, sward_selection, c_int
      type(c_ptr), value :: instance, norms, workspace
      integer(c_size_t), value :: workspace_bytes
      type(sward_selection), intent(in) :: selection
      integer(c_int) :: status
    end function

    function sward_sample_rows(instance, scheme, norms, draw, workspace, workspace_bytes, selection &
        ) bind(C) result(status)
      import :: c_ptr, c_int, sward_draw, c_size_t, sward_selection
      type(c_ptr), value :: instance
      integer(c_int), value :: scheme
      type(c_ptr), value :: norms
      type(sward_draw), intent(in) :: draw
      type(c_ptr), value :: workspace
      integer(c_size_t), value :: workspace_bytes
      type(sward_selection), intent(in) :: selection
      integer(c_int) :: status
    end function

    function sward_project_rows(instance, selection, values, compressed) bind(C) result(status)
      import :: c_ptr, sward_selection, sward_matrix, c_int
      type(c_ptr), value :: instance
      type(sward_selection), intent(in) :: selection
      type(sward_matrix), intent(in) :: values, compressed
      integer(c_int) :: status
    end function

    function sward_project_product(instance, selection, output_gradient, input, workspace, workspace_bytes, beta, &
        gradient) bind(C) result(status)
      import :: c_ptr, sward_selection, sward_matrix, c_size_t, c_double, c_int
      type(c_ptr), value :: instance
      type(sward_selection), intent(in) :: selection
      type(sward_matrix), intent(in) :: output_gradient, input
      type(c_ptr), value :: workspace
      integer(c_size_t), value :: workspace_bytes
      real(c_double), value :: beta
      type(sward_matrix), intent(in) :: gradient
      integer(c_int) :: status
    end function

    function sward_matrix_product(instance, transpose_a, transpose_b, alpha, a, b, beta, c) bind(C) result(status)
      import :: c_ptr, c_int, c_double, sward_matrix
      type(c_ptr), value :: instance
      integer(c_int), value :: transpose_a, transpose_b
      real(c_double), value :: alpha
      type(sward_matrix), intent(in) :: a, b
      real(c_double), value :: beta
      type(sward_matrix), intent(in) :: c
      integer(c_int) :: status
    end function

    function sward_grass_update(instance, selection, step, rate, decay, rounding, gradient, first_moment, &
        second_moment, weight) bind(C) result(status)
      import :: c_ptr, sward_selection, sward_adam_step, c_double, sward_rounding, sward_matrix, c_int
      type(c_ptr), value :: instance
      type(sward_selection), intent(in) :: selection
      type(sward_adam_step), intent(in) :: step
      real(c_double), value :: rate, decay
      type(sward_rounding), intent(in), optional :: rounding
      type(sward_matrix), intent(in) :: gradient, first_moment, second_moment, weight
      integer(c_int) :: status
    end function

    function sward_optimizer_options_default(options) bind(C) result(status)
      import :: sward_optimizer_options, c_int
      type(sward_optimizer_options), intent(out) :: options
      integer(c_int) :: status
    end function

    function sward_optimizer_create(instance, matrices, count, tokens, options, group, optimizer &
        ) bind(C) result(status)
      import :: c_ptr, sward_trained_matrix, c_int64_t, sward_optimizer_options, sward_group, c_int
      type(c_ptr), value :: instance
      type(sward_trained_matrix), intent(in) :: matrices(*)
      integer(c_int64_t), value :: count, tokens
      type(sward_optimizer_options), intent(in) :: options
      type(sward_group), intent(in), optional :: group
      type(c_ptr), intent(out) :: optimizer
      integer(c_int) :: status
    end function

    function sward_optimizer_destroy(optimizer) bind(C) result(status)
      import :: c_ptr, c_int
      type(c_ptr), value :: optimizer
      integer(c_int) :: status
    end function

    function sward_optimizer_begin_update(optimizer, instance, learning_rate, passes) bind(C) result(status)
      import :: c_ptr, c_double, c_int
      type(c_ptr), value :: optimizer, instance
      real(c_double), value :: learning_rate
      integer(c_int), value :: passes
      integer(c_int) :: status
    end function

    function sward_optimizer_accept_factors(optimizer, matrix, output_gradient, input) bind(C) result(status)
      import :: c_ptr, c_int, sward_matrix
      type(c_ptr), value :: optimizer
      integer(c_int), value :: matrix
      type(sward_matrix), intent(in) :: output_gradient, input
      integer(c_int) :: status
    end function

    function sward_optimizer_accept_gradient(optimizer, matrix, gradient) bind(C) result(status)
      import :: c_ptr, c_int, sward_matrix
      type(c_ptr), value :: optimizer
      integer(c_int), value :: matrix
      type(sward_matrix), intent(in) :: gradient
      integer(c_int) :: status
    end function

    function sward_optimizer_update(optimizer) bind(C) result(status)
      import :: c_ptr, c_int
      type(c_ptr), value :: optimizer
      integer(c_int) :: status
    end function

    function sward_optimizer_gradient_norm(optimizer, norm, nonfinite) bind(C) result(status)
      import :: c_ptr, c_double, c_int
      type(c_ptr), value :: optimizer
      real(c_double), intent(out) :: norm
      type(c_ptr), intent(out), optional :: nonfinite
      integer(c_int) :: status
    end function

    function sward_optimizer_updates(optimizer, updates) bind(C) result(status)
      import :: c_ptr, c_int64_t, c_int
      type(c_ptr), value :: optimizer
      integer(c_int64_t), intent(out) :: updates
      integer(c_int) :: status
    end function

    function sward_optimizer_memory_bytes(optimizer, bytes) bind(C) result(status)
      import :: c_ptr, c_size_t, c_int
      type(c_ptr), value :: optimizer
      integer(c_size_t), intent(out) :: bytes
      integer(c_int) :: status
    end function

    function sward_optimizer_message_bytes(optimizer, refresh, bytes) bind(C) result(status)
      import :: c_ptr, c_int, c_size_t
      type(c_ptr), value :: optimizer
      integer(c_int), value :: refresh
      integer(c_size_t), intent(out) :: bytes
      integer(c_int) :: status
    end function

    function sward_optimizer_selection(optimizer, matrix, selection) bind(C) result(status)
      import :: c_ptr, c_int, sward_selection
      type(c_ptr), value :: optimizer
      integer(c_int), value :: matrix
      type(sward_selection), intent(out) :: selection
      integer(c_int) :: status
    end function

    function sward_optimizer_state_count(optimizer, count) bind(C) result(status)
      import :: c_ptr, c_int64_t, c_int
      type(c_ptr), value :: optimizer
      integer(c_int64_t), intent(out) :: count
      integer(c_int) :: status
    end function

    function sward_optimizer_state_array(optimizer, number, array) bind(C) result(status)
      import :: c_ptr, c_int64_t, sward_state_array, c_int
      type(c_ptr), value :: optimizer
      integer(c_int64_t), value :: number
      type(sward_state_array), intent(out) :: array
      integer(c_int) :: status
    end function

    function sward_optimizer_check_state(optimizer) bind(C) result(status)
      import :: c_ptr, c_int
      type(c_ptr), value :: optimizer
      integer(c_int) :: status
    end function

    function sward_selection_workspace_bytes(extent) bind(C) result(bytes)
      import :: c_int64_t, c_size_t
      integer(c_int64_t), value :: extent
      integer(c_size_t) :: bytes
    end function

    function sward_project_product_workspace_bytes(tokens, count, type) bind(C) result(bytes)
      import :: c_int64_t, c_int, c_size_t
      integer(c_int64_t), value :: tokens, count
      integer(c_int), value :: type
      integer(c_size_t) :: bytes
    end function

    function c_last_error() bind(C, name="sward_last_error") result(text)
      import :: c_ptr
      type(c_ptr) :: text
    end function

    function c_status_name(status) bind(C, name="sward_status_name") result(text)
      import :: c_ptr, c_int
      integer(c_int), value :: status
      type(c_ptr) :: text
    end function

    function c_strlen(text) bind(C, name="strlen") result(length)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: text
      integer(c_size_t) :: length
    end function
  end interface
end module
