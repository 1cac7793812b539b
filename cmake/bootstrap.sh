#!/usr/bin/env bash
# Installs what Sward needs and prints, as its last line, the prefix to give to CMake.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: cmake/bootstrap.sh [--prefix DIR] [--cuda | --hip] [--nvcc] [--style] [--fuzz] [--slurm] [--no-packages] [--help]

Installs the distribution's packages (Debian and its relatives, as root or through sudo) and
builds Kokkos and Kokkos Kernels once into a prefix outside the source tree. A second call
finds everything in place and returns at once. The last line printed is the prefix:

  cmake --preset host-release -DCMAKE_PREFIX_PATH="$(cmake/bootstrap.sh | tail -n 1)"

  --prefix DIR    where to install; default $SWARD_PREFIX, or a folder under
                  ${XDG_CACHE_HOME:-~/.cache}/sward named after compiler, processor and backends
  --cuda          Kokkos with the CUDA backend (needs nvcc 12 or later on PATH) and the headers
                  of cuDNN's front end, for the cuda-release preset
  --hip           Kokkos with the HIP backend for gfx90a, and Clang 16 and the HIP of Debian 12
                  that compile it, for the test install.syntax_hip; no GPU is needed
  --nvcc          also, where no nvcc is on PATH, that of CUDA 13.0 from PyPI, for the test
                  install.compile_cuda: it compiles, but has no libraries to link with
  --style         also the packages clang-format, clang-tidy, doxygen and h5py, for tests/style
  --fuzz          also Clang with its runtime libraries, for tests/fuzz
  --slurm         also Slurm and MUNGE, for tests/slurm; their daemons are not started
  --no-packages   do not call the distribution's package manager
TEXT
}

prefix=${SWARD_PREFIX:-}
backend=host
packages=yes
nvcc=no
extra_packages=""
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=${2:?--prefix needs a folder}; shift ;;
    --cuda) backend=cuda ;;
    --hip)
      backend=hip
      extra_packages+=" clang-16 clang-tools-16 lld-16 libamdhip64-dev rocm-device-libs"
      ;;
    --nvcc) nvcc=yes ;;
    --style) extra_packages+=" clang-format clang-tidy doxygen python3-h5py" ;;
    --fuzz) extra_packages+=" clang libclang-rt-dev libomp-dev" ;;
    --slurm) extra_packages+=" slurm-wlm munge" ;;
    --no-packages) packages=no ;;
    --help) usage; exit 0 ;;
    *) echo "bootstrap.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
  esac
  shift
done

needed_packages="g++ gfortran cmake ninja-build ccache pkg-config python3-pip python3-venv
  openmpi-bin libopenmpi-dev libhdf5-dev hdf5-tools libopenblas-openmp-dev libdnnl-dev librandom123-dev
  libtomlplusplus-dev libcli11-dev nlohmann-json3-dev libfmt-dev
  libsentencepiece-dev zlib1g-dev libzstd-dev libgtest-dev libgmock-dev libbenchmark-dev"

log() { echo "bootstrap.sh: $*" >&2; }

# Debian's packages start their daemons unless this policy forbids it; the tests start daemons of their own.
without_daemons() ( # command...
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap '$as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" > /dev/null
    $as_root chmod 755 "$policy"
  fi
  "$@"
)

install_packages() {
  command -v dpkg-query > /dev/null || return 0
  local missing="" name
  for name in $needed_packages $extra_packages; do
    dpkg-query -W -f='${Status}' "$name" 2> /dev/null | grep -q 'install ok installed' || missing+=" $name"
  done
  [ -n "$missing" ] || return 0
  local as_root=""
  [ "$(id -u)" -eq 0 ] || as_root=sudo
  log "installing$missing"
  $as_root apt-get update -qq >&2
  # shellcheck disable=SC2086
  without_daemons $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
}

# Kokkos 4.7.00 and Kokkos Kernels 4.4.00 come whole inside one source archive on PyPI.
fetch_sources() {
  log "fetching the Kokkos sources"
  python3 -m venv "$work/pip" >&2
  "$work/pip/bin/pip" install -q scikit-build-core pybind11 >&2
  "$work/pip/bin/pip" download -q --no-deps --no-binary :all: -d "$work" pygenten==0.1.5 >&2
  tar xzf "$work"/pygenten-0.1.5.tar.gz -C "$work" pygenten-0.1.5/tpls/kokkos pygenten-0.1.5/tpls/kokkos-kernels
  sources=$work/pygenten-0.1.5/tpls
}

configure_and_install() { # name, CMake arguments...
  local name=$1
  shift
  log "building $name for $backend"
  cmake -S "$sources/$name" -B "$work/build-$name" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_STANDARD=20 \
    -DCMAKE_CXX_EXTENSIONS=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON "$@" > "$work/$name.log" 2>&1 &&
    cmake --build "$work/build-$name" -j "$(nproc)" >> "$work/$name.log" 2>&1 &&
    cmake --install "$work/build-$name" >> "$work/$name.log" 2>&1 ||
    { tail -n 40 "$work/$name.log" >&2; log "building $name failed"; exit 1; }
}

cuda_release() { nvcc --version | sed -n 's/.*release \([0-9]*\)\..*/\1/p'; }

build_kokkos() {
  local kokkos_options=(-DKokkos_ENABLE_SERIAL=ON -DKokkos_ENABLE_OPENMP=ON)
  local kernels_options=()
  if [ "$backend" = cuda ]; then
    # The host part stays free of -march=native: a CUDA build usually runs on another machine.
    sed -i 's/^default_arch=.*/default_arch="sm_90"/' "$sources/kokkos/bin/nvcc_wrapper"
    kokkos_options+=(-DKokkos_ENABLE_CUDA=ON -DKokkos_ARCH_HOPPER90=ON
      -DCMAKE_CXX_COMPILER="$sources/kokkos/bin/nvcc_wrapper")
    kernels_options+=(-DCMAKE_CXX_COMPILER="$prefix/bin/nvcc_wrapper" -DKokkosKernels_ENABLE_TPL_CUBLAS=ON
      -DKokkosKernels_ENABLE_TPL_CUSPARSE=OFF -DKokkosKernels_ENABLE_TPL_CUSOLVER=OFF)
    if [ "$(cuda_release)" -ge 13 ]; then
      kokkos_options+=(-DCMAKE_CXX_FLAGS="-include $source_folder/kokkos_cuda13.hpp")
      kernels_options+=(-DCMAKE_CXX_FLAGS="-include $source_folder/kokkos_cuda13.hpp")
    fi
  else
    kokkos_options+=(-DKokkos_ARCH_NATIVE=ON)
  fi
  configure_and_install kokkos "${kokkos_options[@]}"
  configure_and_install kokkos-kernels -DKokkosKernels_ENABLE_ALL_COMPONENTS=OFF \
    -DKokkosKernels_ENABLE_COMPONENT_BLAS=ON -DKokkosKernels_ENABLE_TPL_BLAS=ON \
    -DKokkosKernels_ADD_DEFAULT_ETI=OFF -DKokkosKernels_ENABLE_TESTS=OFF "${kernels_options[@]}"
}

# A function of its own, so that prefixes of other backends, which are named after theirs, stay what they are.
build_kokkos_for_hip() {
  local compiler=(-DCMAKE_CXX_COMPILER="$hip_compiler"
    -DCMAKE_CXX_FLAGS="--rocm-path=/usr --rocm-device-lib-path=$hip_device_libraries")
  # Kokkos hands ROCM_PATH on to what is compiled with it.
  ROCM_PATH=/usr configure_and_install kokkos "${compiler[@]}" -DKokkos_ENABLE_SERIAL=ON -DKokkos_ENABLE_HIP=ON \
    -DKokkos_ARCH_AMD_GFX90A=ON -DKokkos_ENABLE_ROCTHRUST=OFF
  configure_and_install kokkos-kernels "${compiler[@]}" -DKokkosKernels_ENABLE_ALL_COMPONENTS=OFF \
    -DKokkosKernels_ENABLE_COMPONENT_BLAS=ON -DKokkosKernels_ENABLE_TPL_BLAS=ON \
    -DKokkosKernels_ENABLE_TPL_ROCBLAS=OFF -DKokkosKernels_ENABLE_TPL_ROCSPARSE=OFF \
    -DKokkosKernels_ENABLE_TPL_ROCSOLVER=OFF -DKokkosKernels_ADD_DEFAULT_ETI=OFF -DKokkosKernels_ENABLE_TESTS=OFF
}

# Headers alone, out of the wheel; cuDNN itself comes with CUDA or the distribution.
install_cudnn_frontend() {
  log "fetching the headers of cuDNN's front end"
  python3 -m venv "$work/pip" >&2
  "$work/pip/bin/pip" download -q --no-deps -d "$work" nvidia-cudnn-frontend==1.32.0 >&2
  python3 -m zipfile -e "$work"/nvidia_cudnn_frontend-1.32.0-*.whl "$work/cudnn-frontend"
  # The file that CMake looks for comes last, so that a copy that was cut short is made again.
  mv "$work/cudnn-frontend/include/cudnn_frontend.h" "$work"
  cp -r "$work/cudnn-frontend/include/." "$prefix/include"
  cp "$work/cudnn_frontend.h" "$prefix/include"
}

# Compiler and headers, under one folder like an installed CUDA Toolkit: whole, or not there.
fetch_nvcc() { # folder
  log "fetching nvcc"
  python3 -m venv "$work/pip" >&2 &&
    "$work/pip/bin/pip" install -q --no-deps --target "$work/nvcc" nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 \
      nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85 nvidia-cublas==13.0.2.14 >&2 &&
    rm -rf "$work/nvcc/nvidia/cu13/lib"/libcublas* "$1.part" &&
    mv "$work/nvcc/nvidia/cu13" "$1.part" &&
    mv "$1.part" "$1" ||
    log "nvcc was not fetched, and the test install.compile_cuda will be skipped"
}

# The library is compiled for this processor, so a prefix from another one must not be picked up.
# Neither must one that was built by another recipe.
fingerprint() {
  {
    declare -f fetch_sources configure_and_install build_kokkos
    g++ --version
    g++ -march=native -Q --help=target 2> /dev/null | grep -E 'march=|mtune=|\[enabled\]'
    [ "$backend" != cuda ] || { nvcc --version; cat "$source_folder/kokkos_cuda13.hpp"; }
    [ "$backend" != hip ] || { declare -f build_kokkos_for_hip; "$hip_compiler" --version; }
  } | sha256sum | cut -c1-12
}

[ "$packages" = no ] || install_packages
source_folder=$(cd "$(dirname "$0")" && pwd)
if [ "$backend" = cuda ] && ! command -v nvcc > /dev/null; then
  log "--cuda needs nvcc on PATH"
  exit 2
fi
# By its real name, from whose folder it takes its linker for devices.
hip_compiler=/usr/lib/llvm-16/bin/clang++
hip_device_libraries=/usr/lib/$(uname -m)-linux-gnu/amdgcn/bitcode
if [ "$backend" = hip ] && [ ! -x "$hip_compiler" ]; then
  log "--hip needs Debian's packages clang-16, clang-tools-16, lld-16, libamdhip64-dev and rocm-device-libs"
  exit 2
fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sward
[ -n "$prefix" ] || prefix=$cache/$backend-$(fingerprint)
mkdir -p "$prefix"
exec 9> "$prefix/.lock"
flock 9 # two checkouts that start at once build one prefix, one after the other
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ ! -f "$prefix/.complete" ]; then
  fetch_sources
  if [ "$backend" = hip ]; then build_kokkos_for_hip; else build_kokkos; fi
  touch "$prefix/.complete"
fi
if [ "$backend" = cuda ] && [ ! -f "$prefix/include/cudnn_frontend.h" ]; then
  install_cudnn_frontend
fi
if [ $nvcc = yes ] && ! command -v nvcc > /dev/null && [ ! -d "$cache/nvcc-13.0" ]; then
  fetch_nvcc "$cache/nvcc-13.0"
fi
echo "$prefix"
