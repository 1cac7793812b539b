! Kernels against loops in double, the optimizer on two ranks of which one is emulated, and what is refused.
module second_rank
  use, intrinsic :: iso_c_binding, only: c_ptr, c_int, c_size_t, c_double, c_f_pointer, c_associated
  use sward
  implicit none

contains

  ! The other rank has the same gradients.
  function add_other(context, stream, data, count, type, what) bind(C) result(code)
    type(c_ptr), value :: context, stream, data
    integer(c_size_t), value :: count
    integer(c_int), value :: type
    type(c_ptr), value :: what
    integer(c_int) :: code
    real(c_double), pointer :: values(:)
    integer(c_int), pointer :: calls

    call c_f_pointer(context, calls)
    calls = calls + 1
    code = merge(0_c_int, 1_c_int, type == SWARD_FLOAT64 .and. .not. c_associated(stream))
    call c_f_pointer(data, values, [count])
    if (sward_text(what) == "a number of each rank") then  ! which ranks of debug builds compare
      values(size(values) / 2 + 1:) = values(:size(values) / 2)
    else
      values = 2 * values
    end if
  end function

end module

program consumer
  use, intrinsic :: iso_c_binding, only: c_ptr, c_null_ptr, c_int, c_int64_t, c_size_t, c_float, c_double, c_loc, &
    c_funloc
  use second_rank, only: add_other
  use sward
  implicit none
  integer, parameter :: m = 12, n = 7, r = 4, tokens = 9
  integer :: failures = 0
  type(c_ptr) :: instance
  integer :: major, minor, patch

  call sward_version(major, minor, patch)
  call expect(major == 0 .and. minor >= 1, "version")
  call expect(sward_instance_create(c_null_ptr, instance) == SWARD_NOT_INITIALIZED, "start")
  call succeeds(sward_initialize())
  call succeeds(sward_initialize())
  call succeeds(sward_instance_create(c_null_ptr, instance))
  call check_kernels()
  call check_optimizer()
  call check_refusals()
  call succeeds(sward_instance_destroy(instance))
  call succeeds(sward_finalize())
  call succeeds(sward_finalize())
  print '(i0, " failures")', failures
  if (failures > 0) error stop 1

contains

  subroutine expect(holds, what)
    logical, intent(in) :: holds
    character(*), intent(in) :: what

    if (holds) return
    failures = failures + 1
    print '(a, " (last error: ", a, ")")', what, sward_last_error()
  end subroutine

  subroutine succeeds(status)
    integer(c_int), intent(in) :: status

    call expect(status == SWARD_SUCCESS, sward_status_name(status))
  end subroutine

  elemental function element(row, column) result(value)
    integer, intent(in) :: row, column
    real(c_double) :: value

    value = sin(3d0 * row + 0.7d0 * column) * (1 + mod(5 * row, m))
  end function

  ! A matrix of `rows` x `columns`, with its first dimension as the columns.
  function filled(columns, rows) result(array)
    integer, intent(in) :: columns, rows
    real(c_double) :: array(columns, rows)
    integer :: i, j

    do i = 1, rows
      do j = 1, columns
        array(j, i) = element(i - 1, j - 1)
      end do
    end do
  end function

  subroutine check_kernels()
    real(c_double), target :: padded(n + 3, m), norms(m), compressed(n, r), dy(m, tokens), x(n, tokens), gradient(n, r)
    real(c_double) :: values(n, m), wanted_norms(m), gathered_dy(tokens, r)
    integer(c_int), target :: rows(r)
    real(c_float), target :: scale(r)
    integer(c_int64_t), target :: workspace(2 * m)
    real(c_double), target :: gathered(tokens * r)
    type(sward_selection) :: selection
    type(sward_matrix) :: section
    integer :: i

    values = filled(n, m)
    padded = 0
    padded(1:n, :) = values
    section = sward_matrix_of(padded(1:n, :))
    call expect(section%rows == m .and. section%columns == n .and. section%stride == n + 3, "a section")
    wanted_norms = norm2(values, 1)
    call succeeds(sward_row_norms(instance, section, SWARD_ROWS, c_loc(norms), int(m, c_int64_t)))
    selection = sward_selection_of(rows, scale, m, SWARD_ROWS)
    call succeeds(sward_select_top_rows(instance, c_loc(norms), c_loc(workspace), &
      sward_selection_workspace_bytes(int(m, c_int64_t)), selection))
    call succeeds(sward_project_rows(instance, selection, section, sward_matrix_of(compressed)))
    dy = filled(m, tokens)
    x = filled(n, tokens)
    call succeeds(sward_project_product(instance, selection, sward_matrix_of(dy), sward_matrix_of(x), c_loc(gathered), &
      8_c_size_t * size(gathered), 0d0, sward_matrix_of(gradient)))
    call succeeds(sward_instance_fence(instance))

    call expect(all(abs(norms - wanted_norms) < 1d-12 * wanted_norms), "norms")
    do i = 1, r
      call expect(count(wanted_norms > wanted_norms(rows(i) + 1)) < r, "selected rows")
      call expect(all(abs(compressed(:, i) - values(:, rows(i) + 1)) <= 0), "compressed")
      gathered_dy(:, i) = dy(rows(i) + 1, :)
    end do
    call expect(all(abs(gradient - matmul(x, gathered_dy)) < 1d-11), "the product")
  end subroutine

  subroutine check_optimizer()
    real(c_double), target :: weights(n, m, 2), biases(n, 2)
    type(c_ptr) :: optimizers(2)
    type(sward_parameter) :: parameters(2)
    type(sward_optimizer_options) :: options
    type(sward_group) :: group
    type(sward_state_array) :: array
    integer(c_int), target :: calls
    integer(c_int64_t) :: updates
    integer :: k, number

    calls = 0
    group = sward_group(0, 2, c_funloc(add_other), c_loc(calls))
    call succeeds(sward_optimizer_options_default(options))
    options%rank = r
    options%refresh_interval = 3
    do k = 1, 2
      weights(:, :, k) = filled(n, m)
      biases(:, k) = 0
      parameters(1) = sward_parameter("w", sward_matrix_of(weights(:, :, k)), .true., .true., 0)
      parameters(2) = sward_parameter("b", sward_matrix_of(biases(:, k)), .false., .false., 1)
      if (k == 1) then
        call succeeds(sward_create_optimizer(instance, parameters, tokens, options, optimizers(k)))
      else
        call succeeds(sward_create_optimizer(instance, parameters, tokens, options, optimizers(k), group))
      end if
    end do
    do number = 1, 5
      call make_update(optimizers(1), number, 1d0)
      call make_update(optimizers(2), number, 0.5d0)
      call expect(all(abs(weights(:, :, 1) - weights(:, :, 2)) <= 0), "weights of both")
      call expect(all(abs(biases(:, 1) - biases(:, 2)) <= 0), "biases of both")
    end do
    call expect(any(abs(weights(:, :, 1) - filled(n, m)) > 1d-3) .and. all(abs(biases(:, 1)) > 1d-3), "changes")
    call expect(calls >= 10, "messages")
    call succeeds(sward_optimizer_updates(optimizers(2), updates))
    call expect(updates == 5, "updates")
    call succeeds(sward_optimizer_state_array(optimizers(1), 1_c_int64_t, array))
    call expect(sward_text(array%name) == "w/rows" .and. array%type == SWARD_INT32, "the first array")
    do k = 1, 2
      call succeeds(sward_optimizer_destroy(optimizers(k)))
    end do
  end subroutine

  subroutine make_update(optimizer, number, half)
    type(c_ptr), intent(in) :: optimizer
    integer, intent(in) :: number
    real(c_double), intent(in) :: half
    real(c_double), target :: dy(m, tokens), x(n, tokens), bias(n)

    dy = half * cshift(filled(m, tokens), number, 1)
    x = cshift(filled(n, tokens), 2 * number, 2)
    bias = half * x(:, 1)
    call succeeds(sward_optimizer_begin_update(optimizer, instance, 0.05d0, 1))
    call succeeds(sward_optimizer_accept_factors(optimizer, 0, sward_matrix_of(dy), sward_matrix_of(x)))
    call succeeds(sward_optimizer_accept_gradient(optimizer, 1, sward_matrix_of(bias)))
    call succeeds(sward_optimizer_update(optimizer))
    call succeeds(sward_instance_fence(instance))
  end subroutine

  subroutine check_refusals()
    real(c_double), target :: values(n, m), norms(m)
    type(sward_matrix) :: gaps
    character(:), allocatable :: text

    values = 0
    call expect(sward_row_norms(instance, sward_matrix_of(values), SWARD_ROWS, c_loc(norms), int(m - 1, c_int64_t)) &
      == SWARD_EXTENT_MISMATCH, "a wrong extent")
    text = sward_last_error()
    call expect(index(text, "(11)") > 0 .and. index(text, "(12)") > 0, "its text")
    gaps = sward_matrix_of(values(1:n:2, :))
    call expect(sward_row_norms(instance, gaps, SWARD_ROWS, c_loc(norms), int(m, c_int64_t)) == &
      SWARD_INVALID_ARGUMENT, "a section with gaps")
  end subroutine

end program
