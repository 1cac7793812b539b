#!/usr/bin/env bash
# Compiles the kernels for CUDA, to objects that are thrown away. Exits with 77, skipped, where there is no nvcc.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/install/compile_cuda.sh [--prefix DIR] [--help]

Checks that nvcc compiles every header of kernels/, every kernel that tests/kernels/Test_Launches.cpp calls for
Kokkos::Cuda, and the sources of kernels/cuda but that of cuDNN, for sm_90. Neither a GPU nor a Kokkos built for CUDA is
needed: the headers of one for hosts are configured anew. nvcc is that on PATH, or the one that 'cmake/bootstrap.sh
--nvcc' has fetched.

  --prefix DIR   with Kokkos and Kokkos Kernels; default $SWARD_PREFIX, or the newest for hosts that
                 cmake/bootstrap.sh has built
TEXT
}

prefix=${SWARD_PREFIX:-}
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=${2:?--prefix needs a folder}; shift ;;
    --help) usage; exit 0 ;;
    *) echo "compile_cuda.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
  esac
  shift
done
cd "$(dirname "$0")/../.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sward

skip() { echo "compile_cuda.sh: skipped: $*"; exit 77; }

PATH=$PATH:$cache/nvcc-13.0/bin
command -v nvcc > /dev/null || skip "no nvcc, which 'cmake/bootstrap.sh --nvcc' fetches"
if [ -z "$prefix" ]; then
  complete=$(ls -t "$cache"/host-*/.complete 2> /dev/null | head -n 1) || true
  [ -n "$complete" ] || skip "no Kokkos, which cmake/bootstrap.sh builds"
  prefix=${complete%/.complete}
fi
toolkit=$(nvcc --dryrun -x cu /dev/null 2>&1 | sed -n 's/^#. TOP=//p')
# The same path in every checkout, so that ccache knows what another one has compiled.
work=build/compile_cuda
mkdir -p "$work"
ccache=$(command -v ccache) || true
export CCACHE_NOHASHDIR=1

# What Kokkos' configuration would write for CUDA and this generation of GPUs.
configured() { sed -E "$2" "$prefix/include/$1" > "$work/$1"; }
define() { echo "s#/\* ?.undef ($1) ?\*/#\#define \1#"; }
configured KokkosCore_config.h "$(define 'KOKKOS_ENABLE_CUDA|KOKKOS_ARCH_HOPPER|KOKKOS_ARCH_HOPPER90')"
configured KokkosKernels_config.h "$(define 'KOKKOSKERNELS_INST_(EXECSPACE_CUDA|MEMSPACE_CUDASPACE)')"
configured KokkosCore_Config_DeclareBackend.hpp '/#include <decl.*OPENMP/a #include <decl/Kokkos_Declare_CUDA.hpp>'
configured KokkosCore_Config_FwdBackend.hpp '/#include <fwd.*OPENMP/a #include <fwd/Kokkos_Fwd_CUDA.hpp>'
configured KokkosCore_Config_SetupBackend.hpp '/^#define KOKKOS_SETUP_HPP_/a #include <setup/Kokkos_Setup_Cuda.hpp>'
mkdir -p "$work/desul/atomics"
configured desul/atomics/Config.hpp "$(define DESUL_ATOMICS_ENABLE_CUDA)"
for setting in KokkosCore_config.h:KOKKOS_ENABLE_CUDA KokkosCore_Config_DeclareBackend.hpp:Declare_CUDA \
  KokkosCore_Config_FwdBackend.hpp:Fwd_CUDA KokkosCore_Config_SetupBackend.hpp:Setup_Cuda \
  desul/atomics/Config.hpp:DESUL_ATOMICS_ENABLE_CUDA; do
  grep -qE "^#(define|include) .*${setting#*:}" "$work/${setting%%:*}" ||
    { echo "compile_cuda.sh: $prefix/include/${setting%%:*} is none of Kokkos 4.7's" >&2; exit 1; }
done

sed 's/@[A-Z_]*@/0/' src/c/sward_version.h.in > "$work/sward_version.h"
{
  find kernels -name '*.hpp' -not -path 'kernels/cuda/*' | sort | sed 's|.*/\(.*\)|#include "\1"|'
  echo '#include "tests/kernels/Test_Launches.cpp"'
} > "$work/kernels.cpp"

includes=(-I . -isystem "$work")
for folder in kernels/*/ tests/support; do includes+=(-I "$folder"); done
includes+=(-isystem "$prefix/include")
compile() { # file, options...
  echo "${1##*/}"
  $ccache nvcc -x cu -std=c++20 -extended-lambda -Wext-lambda-captures-this -Xcompiler -fopenmp -include cmake/kokkos_cuda13.hpp \
    "${includes[@]}" "${@:2}" -c "$1" -o "$work/object.o"
}
# What calls NVIDIA's libraries is the host compiler's, as in kernels/cuda/CMakeLists.txt.
compile_for_host() { # file
  echo "${1##*/}"
  $ccache g++ -std=c++20 "${includes[@]}" -isystem "$toolkit/include" -c "$1" -o "$work/object.o"
}
compile "$work/kernels.cpp" -arch=sm_90
for source in kernels/cuda/*.cpp; do
  case $source in
    *Cudnn*) ;;
    *CublasLt* | *TensorMap*) compile_for_host "$source" ;;
    *) compile "$source" -gencode=arch=compute_90a,code=sm_90a ;;
  esac
done
