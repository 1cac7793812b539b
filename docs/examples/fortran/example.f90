! Learns a matrix A from products with it: Grass makes the mean of |W x - A x|^2 / 2 small.
program example
  use, intrinsic :: iso_c_binding, only: c_ptr, c_null_ptr, c_int, c_float, c_double
  use sward
  implicit none
  integer, parameter :: outputs = 6, inputs = 8, tokens = 32, updates = 300
  ! Matrices of outputs x inputs, tokens x inputs and tokens x outputs.
  real(c_float), target :: weight(inputs, outputs), input(inputs, tokens), output_gradient(outputs, tokens)
  real(c_float) :: wanted(inputs, outputs)
  real(c_double) :: first, last
  type(c_ptr) :: instance, optimizer
  type(sward_parameter) :: parameters(1)
  type(sward_optimizer_options) :: options
  integer :: i, j, update

  wanted = reshape([(sin(real(i, c_float)), i = 0, size(wanted) - 1)], shape(wanted))
  input = reshape([(cos(1.7 * real(j, c_float)), j = 0, size(input) - 1)], shape(input))
  weight = 0

  call check(sward_initialize())
  call check(sward_instance_create(c_null_ptr, instance))

  parameters(1) = sward_parameter(name="w", weight=sward_matrix_of(weight))
  call check(sward_optimizer_options_default(options))
  options%rank = 3
  options%refresh_interval = 10
  options%refresh_warmup = 0
  options%scale = 1
  call check(sward_create_optimizer(instance, parameters, tokens, options, optimizer))

  first = loss_and_gradient()
  do update = 1, updates
    call check(sward_optimizer_begin_update(optimizer, instance, 0.02_c_double, 1))
    call check(sward_optimizer_accept_factors(optimizer, 0, sward_matrix_of(output_gradient), sward_matrix_of(input)))
    call check(sward_optimizer_update(optimizer))
    call check(sward_instance_fence(instance))  ! the function below reads what the instance writes
    last = loss_and_gradient()
  end do
  print '("loss ", f6.4, ", after ", i0, " updates ", f6.4)', first, updates, last

  call check(sward_optimizer_destroy(optimizer))
  call check(sward_instance_destroy(instance))
  call check(sward_finalize())
  if (last > 0.01 * first) error stop 1

contains

  subroutine check(status)
    integer(c_int), intent(in) :: status

    if (status == SWARD_SUCCESS) return
    print '(a, ": ", a)', sward_status_name(status), sward_last_error()
    error stop 1
  end subroutine

  ! Writes dY = (W x - A x) / tokens of every token, and returns the mean.
  function loss_and_gradient() result(loss)
    real(c_double) :: loss

    output_gradient = matmul(transpose(weight - wanted), input) / tokens
    loss = 0.5_c_double * sum(real(output_gradient, c_double)**2) * tokens
  end function

end program
