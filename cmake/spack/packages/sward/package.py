# SPDX-License-Identifier: BSD-3-Clause
import pathlib

from spack_repo.builtin.build_systems.cmake import CMakePackage
from spack_repo.builtin.build_systems.cuda import CudaPackage
from spack_repo.builtin.build_systems.rocm import ROCmPackage

from spack.package import *


class Sward(CMakePackage, CudaPackage, ROCmPackage):
    """Pretraining of LLaMA models with structured sparse gradients (Grass): programs, a library,
    and kernels on Kokkos that other codes link."""

    # No sources are published yet: the recipe is for `spack dev-build` or `spack develop` in a
    # checkout. Without these it takes the branch main of the checkout that it lies in.
    homepage = "https://arxiv.org/abs/2406.17660"
    git = pathlib.Path(__file__).resolve().parents[4].as_uri()
    test_requires_compiler = True

    license("BSD-3-Clause")

    version("main", branch="main")

    variant(
        "mpi",
        default=True,
        description="The library Sward::sward and the programs, besides kernels and optimizer",
    )
    variant("openmp", default=True, description="Kokkos' OpenMP beside its Serial")
    variant(
        "onednn", default=True, description="Products of floats on hosts by oneDNN instead of BLAS"
    )
    variant("cudnn", default=True, when="+cuda", description="Attention in bfloat16 by cuDNN")
    variant("nccl", default=True, when="+cuda+mpi", description="Messages between GPUs by NCCL")
    variant("capi", default=True, description="Sward::c, the kernels and the optimizer for C")
    variant("fortran", default=False, when="+capi", description="Sward::fortran, the module 'sward'")
    variant("pic", default=True, description="Position-independent code in the static libraries")

    depends_on("c", type="build", when="+mpi")
    depends_on("c", type="build", when="+capi")
    depends_on("fortran", type="build", when="+fortran")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("pkgconfig", type="build", when="+mpi")

    depends_on("kokkos@4.7:4+serial cxxstd=20")
    depends_on("kokkos+openmp", when="+openmp")
    depends_on("kokkos-kernels+blas")
    depends_on("random123")
    depends_on("onednn@2:", when="+onednn")

    with when("+mpi"):
        depends_on("mpi@3:")
        depends_on("hdf5@1.10:")
        depends_on("tomlplusplus@3:")
        depends_on("cli11@2:")
        depends_on("nlohmann-json@3.11:")
        depends_on("fmt@9:")
        depends_on("sentencepiece")
        depends_on("zlib-api")
        depends_on("zstd")

    with when("+cuda"):
        depends_on("cuda@12:")
        depends_on("kokkos+cuda+cuda_lambda+wrapper")
        depends_on("kokkos-kernels+cuda+cublas")
        depends_on("cudnn@9:", when="+cudnn")
        depends_on("cudnn-frontend", when="+cudnn")
        depends_on("nccl", when="+nccl")
    for arch in CudaPackage.cuda_arch_values:
        depends_on(f"kokkos cuda_arch={arch}", when=f"+cuda cuda_arch={arch}")
        depends_on(f"nccl cuda_arch={arch}", when=f"+nccl cuda_arch={arch}")

    with when("+rocm"):
        depends_on("kokkos+rocm")
        depends_on("kokkos-kernels+rocblas")
    for target in ROCmPackage.amdgpu_targets:
        depends_on(f"kokkos amdgpu_target={target}", when=f"+rocm amdgpu_target={target}")

    depends_on("googletest+gmock", type="test")

    conflicts("+cuda", when="+rocm", msg="Kokkos has one backend for GPUs at a time")
    conflicts("+cuda", when="cuda_arch=none", msg="+cuda needs cuda_arch")
    conflicts("+rocm", when="amdgpu_target=none", msg="+rocm needs amdgpu_target")
    conflicts("%gcc@:11", msg="C++20 of GCC 12 is needed")

    def cmake_args(self):
        args = [
            self.define_from_variant("SWARD_ENABLE_LIBRARY", "mpi"),
            self.define_from_variant("SWARD_ENABLE_C", "capi"),
            self.define_from_variant("SWARD_ENABLE_FORTRAN", "fortran"),
            self.define_from_variant("SWARD_ENABLE_ONEDNN", "onednn"),
            self.define_from_variant("SWARD_ENABLE_CUDA", "cuda"),
            self.define_from_variant("SWARD_ENABLE_CUDNN", "cudnn"),
            self.define_from_variant("SWARD_ENABLE_NCCL", "nccl"),
            self.define_from_variant("CMAKE_POSITION_INDEPENDENT_CODE", "pic"),
            self.define("SWARD_ENABLE_TESTS", self.run_tests),
        ]
        if self.device_compiler is not None:
            args.append(self.define("CMAKE_CXX_COMPILER", self.device_compiler))
        return args

    @property
    def device_compiler(self):
        if self.spec.satisfies("+cuda"):
            return self["kokkos"].kokkos_cxx
        return self.spec["hip"].hipcc if self.spec.satisfies("+rocm") else None

    consumer_folder = join_path("tests", "install", "consumer")

    @run_after("install")
    def keep_consumer(self):
        """The sources of the stand-alone test stay with the installation."""
        cache_extra_test_sources(self, [self.consumer_folder])

    def test_kernels_consumer(self):
        """another project finds the installed kernels, builds with them, and computes with them"""
        folder = join_path(self.test_suite.current_test_cache_dir, self.consumer_folder)
        cmake = which(self.spec["cmake"].prefix.bin.cmake, required=True)
        arguments = [
            self.define("CMAKE_PREFIX_PATH", [self.prefix, *get_cmake_prefix_path(self)]),
            self.define("CMAKE_CXX_COMPILER", self.device_compiler or self.compiler.cxx),
            self.define("CONSUMER_COMPONENT", "kernels"),
        ]
        with working_dir(join_path(folder, "build"), create=True):
            cmake("..", *arguments)
            cmake("--build", ".")
            which("./consumer", required=True)()
