!> Sward for Fortran: the calls of sward.h, and what is more natural here: sward_matrix_of and sward_selection_of
!> describe arrays, sward_create_optimizer takes names in Fortran's own strings, and texts come back as such.
!>
!> Sward's matrices are row-major, Fortran's arrays column-major. So an array weight(n, m) is a matrix of m rows and n
!> columns: m outputs, n inputs, and weight(j, i) is element (i, j). Its "rows", SWARD_ROWS, are weight(:, i). The same
!> holds for factors: dY(m, tokens) and X(n, tokens) are tokens x m and tokens x n, and G = dY^T X is G(n, m). Numbers
!> of rows, of matrices and of arrays of the state count from 0.
!>
!> Arrays need the attribute target or pointer, and have to stay where they are while the library works on them. In
!> builds for GPUs a matrix is made from a device pointer: sward_matrix(pointer, m, n, stride, SWARD_FLOAT32).
module sward
  use, intrinsic :: iso_c_binding, only: c_ptr, c_char, c_int, c_int64_t, c_intptr_t, c_float, c_double, c_null_ptr, &
    c_null_char, c_loc, c_f_pointer, c_associated
  use sward_bindings
  implicit none
  private :: c_ptr, c_char, c_int, c_int64_t, c_intptr_t, c_float, c_double, c_null_ptr, c_null_char, c_loc, &
    c_f_pointer, c_associated

  integer, parameter :: sward_name_length = 128

  !> A matrix to be trained.
  type :: sward_parameter
    character(sward_name_length) :: name = ""
    type(sward_matrix) :: weight
    logical :: is_projected = .true.  !< .false.: AdamW in full
    logical :: decays = .true.
    integer :: message = 0
  end type

  !> The matrix that an array is, without a copy: one of rank 2 as said above, one of rank 1 as a single row. Sections
  !> are allowed as long as the first dimension has no gaps: weight(1:n, :). Others give one whose data is null, which
  !> every call refuses.
  interface sward_matrix_of
    module procedure matrix_of_real32, matrix_of_real64, row_of_real32, row_of_real64
  end interface

  private :: c_last_error, c_status_name, c_strlen, matrix_of_real32, matrix_of_real64, row_of_real32, row_of_real64
  private :: described, address

contains

  !> Fortran's form of a string of C; empty for a null pointer.
  function sward_text(pointer) result(text)
    type(c_ptr), intent(in) :: pointer
    character(:), allocatable :: text
    character(kind=c_char), pointer :: letters(:)
    integer :: i

    text = ""
    if (.not. c_associated(pointer)) return
    call c_f_pointer(pointer, letters, [c_strlen(pointer)])
    do i = 1, size(letters)
      text = text // letters(i)
    end do
  end function

  !> What went wrong in the last call of this thread that failed.
  function sward_last_error() result(text)
    character(:), allocatable :: text

    text = sward_text(c_last_error())
  end function

  !> "SWARD_SUCCESS" and so on.
  function sward_status_name(status) result(text)
    integer(c_int), intent(in) :: status
    character(:), allocatable :: text

    text = sward_text(c_status_name(status))
  end function

  !> A selection whose memory are two arrays without gaps: numbers, from 0, and factors of as many rows.
  function sward_selection_of(rows, scale, extent, side) result(selection)
    integer(c_int), intent(in), target, contiguous :: rows(:)
    real(c_float), intent(in), target, contiguous :: scale(:)
    integer, intent(in) :: extent
    integer(c_int), intent(in) :: side
    type(sward_selection) :: selection

    selection%rows = c_loc(rows)
    selection%scale = c_loc(scale)
    selection%count = min(size(rows, kind=c_int64_t), size(scale, kind=c_int64_t))
    selection%extent = extent
    selection%side = side
  end function

  !> sward_optimizer_create, from names in Fortran's own strings.
  function sward_create_optimizer(instance, parameters, tokens, options, optimizer, group) result(status)
    type(c_ptr), intent(in) :: instance
    type(sward_parameter), intent(in) :: parameters(:)
    integer, intent(in) :: tokens
    type(sward_optimizer_options), intent(in) :: options
    type(c_ptr), intent(out) :: optimizer
    type(sward_group), intent(in), optional :: group
    integer(c_int) :: status
    character(kind=c_char), target :: names(sward_name_length + 1, size(parameters))
    ! One at least, so that there is a first.
    type(sward_trained_matrix) :: matrices(max(1, size(parameters)))
    integer :: i, k

    optimizer = c_null_ptr
    do i = 1, size(parameters)
      names(:, i) = c_null_char
      do k = 1, len_trim(parameters(i)%name)
        names(k, i) = parameters(i)%name(k:k)
      end do
      matrices(i)%name = c_loc(names(1, i))
      matrices(i)%weight = parameters(i)%weight
      matrices(i)%is_projected = merge(1_c_int, 0_c_int, parameters(i)%is_projected)
      matrices(i)%decays = merge(1_c_int, 0_c_int, parameters(i)%decays)
      matrices(i)%message = int(parameters(i)%message, c_int)
    end do
    status = sward_optimizer_create(instance, matrices, size(parameters, kind=c_int64_t), int(tokens, c_int64_t), &
      options, group, optimizer)
  end function

  function address(pointer) result(bytes)
    type(c_ptr), intent(in) :: pointer
    integer(c_intptr_t) :: bytes

    bytes = transfer(pointer, bytes)
  end function

  !> Of an array whose first element, the one after it in the first dimension and the one after it in the second are
  !> given; where there is but one element in a dimension, the first again.
  function described(first, below, beside, extents, type, element_bytes) result(matrix)
    type(c_ptr), intent(in) :: first, below, beside
    integer, intent(in) :: extents(2), element_bytes
    integer(c_int), intent(in) :: type
    type(sward_matrix) :: matrix

    matrix%columns = extents(1)
    matrix%rows = extents(2)
    matrix%stride = extents(1)
    matrix%type = type
    if (extents(2) > 1) matrix%stride = (address(beside) - address(first)) / element_bytes
    if (extents(1) > 1 .and. address(below) - address(first) /= element_bytes) return
    matrix%data = first
  end function

  function matrix_of_real32(array) result(matrix)
    real(c_float), intent(in), target :: array(:, :)
    type(sward_matrix) :: matrix

    matrix%type = SWARD_FLOAT32
    matrix%columns = size(array, 1)
    matrix%stride = matrix%columns
    matrix%rows = size(array, 2)
    if (size(array) == 0) return
    matrix = described(c_loc(array(1, 1)), c_loc(array(min(2, size(array, 1)), 1)), &
      c_loc(array(1, min(2, size(array, 2)))), shape(array), SWARD_FLOAT32, 4)
  end function

  function row_of_real32(array) result(matrix)
    real(c_float), intent(in), target :: array(:)
    type(sward_matrix) :: matrix

    matrix%type = SWARD_FLOAT32
    matrix%columns = size(array)
    matrix%stride = matrix%columns
    matrix%rows = 1
    if (size(array) == 0) return
    matrix = described(c_loc(array(1)), c_loc(array(min(2, size(array)))), c_loc(array(1)), [size(array), 1], &
      SWARD_FLOAT32, 4)
  end function

  function matrix_of_real64(array) result(matrix)
    real(c_double), intent(in), target :: array(:, :)
    type(sward_matrix) :: matrix

    matrix%type = SWARD_FLOAT64
    matrix%columns = size(array, 1)
    matrix%stride = matrix%columns
    matrix%rows = size(array, 2)
    if (size(array) == 0) return
    matrix = described(c_loc(array(1, 1)), c_loc(array(min(2, size(array, 1)), 1)), &
      c_loc(array(1, min(2, size(array, 2)))), shape(array), SWARD_FLOAT64, 8)
  end function

  function row_of_real64(array) result(matrix)
    real(c_double), intent(in), target :: array(:)
    type(sward_matrix) :: matrix

    matrix%type = SWARD_FLOAT64
    matrix%columns = size(array)
    matrix%stride = matrix%columns
    matrix%rows = 1
    if (size(array) == 0) return
    matrix = described(c_loc(array(1)), c_loc(array(min(2, size(array)))), c_loc(array(1)), [size(array), 1], &
      SWARD_FLOAT64, 8)
  end function

end module
