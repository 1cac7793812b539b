#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/style/manners.sh [--help]

Fails, naming the lines, where kernels/ or src/ do what is a program's or the caller's to do: print,
end the process, handle signals, change floating-point or locale settings, use MPI_COMM_WORLD; and
where names that others see are not Sward's: files that are installed, and macros.
TEXT
}

cd "$(dirname "$0")/../.."
[ "${1:-}" != --help ] || { usage; exit 0; }
found=0
report() { # what is wrong, then a command that prints where
  local what=$1 lines
  shift
  lines=$("$@" || true)
  [ -z "$lines" ] || { printf '%s:\n%s\n' "$what" "$lines"; found=1; }
}
code() { # an extended regular expression; comments do not count
  grep -rnE --include=*.hpp --include=*.cpp --include=*.h --include=*.in "$1" kernels src |
    grep -vE '^[^:]*:[0-9]+: *(//|/?\*)'
}
outside_mpi_environment() {
  code '\b((std::)?(abort|exit|_Exit|quick_exit|terminate)|MPI_(Abort|Init|Init_thread|Finalize))\(' |
    grep -vE '^src/communication/Sward_MpiCommunicator.cpp:.*MPI_(Init_thread|Finalize)\(|Kokkos::abort\('
}
foreign_macros() { # those of Random123 are its settings
  code '^ *# *define +' | grep -vE '# *define +SWARD_|^kernels/random/Sward_Philox.hpp:[0-9]+:# *define +R123_'
}
foreign_headers() {
  find kernels src \( -name '*.hpp' -o -name '*.h' -o -name '*.h.in' \) |
    grep -vE '/(Sward_[A-Za-z0-9]+\.hpp|sward(_[a-z]+)?\.h(\.in)?)$'
}
without_namespace() { # a file that is one macro needs none
  find kernels src -name '*.hpp' ! -name Sward_FileLocal.hpp -print0 | xargs -0 grep -L '^namespace Sward'
}

report "prints" code '\b(cout|cerr|clog|stdout|stderr|printf|puts|putchar|perror|fmt::print(ln)?)\b *[;,(<)]'
report "ends the process, or starts or ends MPI outside MpiEnvironment" outside_mpi_environment
report "changes settings of the process" \
  code '\b(sigaction|signal|sigprocmask|feenableexcept|fesetround|fesetenv|setlocale|setenv|putenv)\('
report "uses MPI_COMM_WORLD" code '\bMPI_COMM_WORLD\b'
report "macros without SWARD_ in front" foreign_macros
report "headers whose name does not begin with Sward_" foreign_headers
report "headers without the namespace Sward" without_namespace
exit $found
