#!/usr/bin/env bash
# Fails, naming the lines, when names of a vendor's language or library stand outside of the files that are for them.
set -euo pipefail
cd "$(dirname "$0")/../.."

case ${1:-} in
  "") ;;
  *) echo "Usage: tests/style/vendor_names.sh"; [ "$1" = --help ] && exit 0; exit 2 ;;
esac

# Names of CUDA, HIP, SYCL and their libraries, also with what Kokkos calls their spaces; assembly is a vendor's too.
# Macros of Kokkos (KOKKOS_ENABLE_CUDA) are not: they ask which backend there is.
vendor='\<(cuda|cublas|cudnn|cusparse|cusolver|nvrtc|nvml|nccl|hip|rocblas|rccl|miopen|sycl|oneapi)[A-Za-z0-9_]+'
vendor+='|\<(CUDA|CUBLAS|CUDNN|NCCL|HIP|SYCL)_[A-Z0-9_]+|\<cu[A-Z][A-Za-z]+|\<CU[a-z]+_st\>'
vendor+='|\<__(CUDA|HIP|SYCL|NVCC|AMDGCN)[A-Z0-9_]*|\<__(device|global|shared|constant|managed|forceinline|grid_constant)__'
vendor+='|\<__(launch_bounds__|syncthreads|syncwarp|threadfence|shfl|ballot|ldg|fdividef|expf|cvta)[a-z_]*'
vendor+='|\<(threadIdx|blockIdx|blockDim|gridDim|warpSize|dim3)\>|\<asm\>|\<Kokkos::(Experimental::)?(Cuda|HIP|SYCL)\>'

# Files, the names they may have, and why.
exceptions() {
  cat <<'TEXT'
kernels/cuda/.*                                  .*                            what only NVIDIA's cards and libraries can do
src/communication/Sward_Nccl.*                   .*                            messages through NCCL
kernels/matrix/Sward_DeviceMatrixProduct.hpp     Kokkos::Cuda|cu(da|blas).*    hands products to cuBLASLt
kernels/transformer/Sward_CudnnPath.hpp          Kokkos::Cuda|cu(da|dnn).*     hands attention to cuDNN
kernels/transformer/Sward_RotaryAttention.hpp    Kokkos::Cuda|cuda_stream      hands attention to kernels/cuda
kernels/transformer/Sward_SwigluProduct.hpp      Kokkos::Cuda|cuda_stream      hands products to kernels/cuda
kernels/transformer/Sward_RmsNormBackward.hpp    Kokkos::Cuda|cuda_stream      hands gradients to kernels/cuda
src/c/Sward_C(Instance|Library).(hpp|cpp)         cuda_stream|cudaStream_t      takes the caller's stream
src/checkpoint/Sward_ProductChoices.cpp          cublaslt_.*                   checkpoints keep what cuBLASLt chose
kernels/base/Sward_BFloat16.hpp                  asm|__CUDA_ARCH__             one instruction rounds
kernels/base/Sward_Float8.hpp                    asm|__CUDA_ARCH__             one instruction rounds two
kernels/base/Sward_Pack.hpp                      asm|__CUDA_ARCH__             one instruction rounds two
kernels/matrix/Sward_TransposeCodes.hpp          __CUDA_ARCH__                 bytes of two words by one instruction
kernels/matrix/Sward_RowCodes.hpp                __CUDA_ARCH__                 maxima of two, and of a warp, by one instruction
kernels/base/Sward_Exponential.hpp               asm|__CUDA_ARCH__             two instructions for a rough exponential
kernels/base/Sward_FileLocal.hpp                 __CUDACC__                    nvcc alone needs file-local kernels
kernels/base/Sward_TeamChunks.hpp                __CUDA_ARCH__|__CUDACC__      pragmas that nvcc does not know
kernels/transformer/Sward_Swiglu.hpp             __CUDA_ARCH__|__fdividef      a rough division
kernels/update/Sward_AdamStep.hpp                asm|__CUDA_ARCH__             a rough root and a rough inverse
kernels/update/Sward_ElementBlock.hpp            threadIdx                     Kokkos does not tell a lane its number
TEXT
}

names() { # "file:line:name" of all of them, outside of comments and texts
  local file
  find kernels src \( -name '*.hpp' -o -name '*.cpp' \) | sort | while read -r file; do
    sed -E 's/"([^"\\]|\\.)*"/""/g; s://.*::' "$file" | grep -noE "$vendor" | sed "s|^|$file:|" || true
  done
}

allowed=$(mktemp)
trap 'rm -f "$allowed"' EXIT
exceptions | awk '{ printf "^(%s):[0-9]+:(%s)$\n", $1, $2 }' > "$allowed"
found=$(names)
if stray=$(grep -vEf "$allowed" <<< "$found"); then
  echo "$stray"
  echo "vendor_names.sh: a vendor's names belong into kernels/cuda, src/communication/Sward_Nccl*, or the exceptions here"
  exit 1
fi
status=0
while read -r pattern; do
  grep -qE "$pattern" <<< "$found" || { echo "vendor_names.sh: no line needs the exception $pattern"; status=1; }
done < "$allowed"
exit $status
