#!/usr/bin/env python3
"""Compares the Spack recipe with the CMake files, without Spack.

Usage: check_spack_recipe.py SOURCE_DIR

Every option that the recipe gives to CMake, for every choice of its variants, must be an option of the CMake files;
every option of the CMake files must be given, or be named below; every package that they look for must be a
dependency, or be named below. Exit status: 0 nothing found, 1 something found.
"""
import importlib.util
import itertools
import pathlib
import re
import sys
import types

# Options that a build through Spack leaves as they are.
LEFT_ALONE = {"SWARD_ENABLE_OPTIMIZER", "SWARD_C_SHARED", "SWARD_ENABLE_FUZZING", "SWARD_ENABLE_BENCHMARKS", "SWARD_WARNINGS_AS_ERRORS"}

# What CMake looks for, and the Spack package that has it. None: not needed to build.
PACKAGES = {
    "Kokkos": "kokkos", "KokkosKernels": "kokkos-kernels", "CUDAToolkit": "cuda", "MPI": "mpi", "HDF5": "hdf5",
    "tomlplusplus": "tomlplusplus", "CLI11": "cli11", "nlohmann_json": "nlohmann-json", "fmt": "fmt",
    "PkgConfig": "pkgconfig", "SentencePiece": "sentencepiece", "ZLIB": "zlib-api", "Zstd": "zstd",
    "GTest": "googletest", "benchmark": None, "Git": None, "Random123/philox.h": "random123", "dnnl.h": "onednn",
    "dnnl": "onednn", "cudnn.h": "cudnn", "cudnn": "cudnn", "cudnn_frontend.h": "cudnn-frontend", "nccl.h": "nccl",
    "nccl": "nccl",
}  # fmt: skip

dependencies = set()
variants = {}


class Spec:
    """A choice of variants, and a stand-in for everything else that a recipe asks of a spec."""

    def __init__(self, choice):
        self.choice = choice

    def satisfies(self, text):
        return all(self.choice[name] == (sign == "+") for sign, name in re.findall(r"([+~])(\w+)", text))

    def __getitem__(self, _):
        return types.SimpleNamespace(hipcc="hipcc")


class Recipe:
    run_tests = False

    def __init__(self, choice):
        self.spec = Spec(choice)

    def __getitem__(self, _):
        return types.SimpleNamespace(kokkos_cxx="nvcc_wrapper")

    def define(self, name, value):
        return name

    def define_from_variant(self, name, variant):
        if variant not in variants:
            raise SystemExit(f"package.py: -D{name} is defined from the variant '{variant}', which does not exist")
        return name


class Quiet:
    """A directive, a decorator or a context: all of them without effect."""

    def __call__(self, *arguments, **_):
        return arguments[0] if arguments and callable(arguments[0]) else self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def depends_on(spec, **_):
    dependencies.add(re.match(r"[\w-]+", spec).group())


def variant(name, default=None, **_):
    variants[name] = default


def install_stubs():
    def module(name, **names):
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(names)

    module("spack.package", depends_on=depends_on, variant=variant, join_path=lambda *parts: "/".join(parts),
           **{name: Quiet() for name in ("conflicts", "license", "run_after", "version", "when")})  # fmt: skip
    module("spack", package=sys.modules["spack.package"])
    systems = "spack_repo.builtin.build_systems"
    for name in ("spack_repo", "spack_repo.builtin", systems):
        module(name)
    module(f"{systems}.cmake", CMakePackage=Recipe)
    module(f"{systems}.cuda", CudaPackage=type("CudaPackage", (), {"cuda_arch_values": ("90",)}))
    module(f"{systems}.rocm", ROCmPackage=type("ROCmPackage", (), {"amdgpu_targets": ("gfx90a",)}))
    variants.update(cuda=False, rocm=False)  # of the last two


def cmake_texts(source):
    files = [source / "CMakeLists.txt", *sorted(source.glob("cmake/*.cmake")), *sorted(source.glob("*/CMakeLists.txt"))]
    return re.sub(r"(?m)#.*$", "", "\n".join(path.read_text() for path in files))


def main():
    if len(sys.argv) != 2 or sys.argv[1] == "--help":
        print(__doc__)
        return 0 if sys.argv[1:] == ["--help"] else 2
    source = pathlib.Path(sys.argv[1])
    install_stubs()
    description = importlib.util.spec_from_file_location("package", source / "cmake/spack/packages/sward/package.py")
    recipe = importlib.util.module_from_spec(description)
    sys.dont_write_bytecode = True
    description.loader.exec_module(recipe)

    text = cmake_texts(source)
    options = set(re.findall(r"\boption\((SWARD_\w+)", text))
    given = set()
    for values in itertools.product((False, True), repeat=len(variants)):
        given.update(recipe.Sward(dict(zip(variants, values))).cmake_args())
    ours = {name for name in given if not name.startswith("CMAKE_")}
    faults = [f"package.py gives {name}, which no CMake file has as an option" for name in sorted(ours - options)]
    faults += [f"{name} is an option that package.py does not give" for name in sorted(options - ours - LEFT_ALONE)]

    looked_for = re.findall(r"\b(?:find_package|pkg_check_modules)\((\w+)", text)
    looked_for += re.findall(r"\bfind_(?:path|library)\(\w+ ([\w./]+)", text)
    for name in sorted(set(looked_for)):
        if name not in PACKAGES:
            faults.append(f"CMake looks for {name}, for which this test knows no Spack package")
        elif PACKAGES[name] is not None and PACKAGES[name] not in dependencies:
            faults.append(f"CMake looks for {name}, but package.py does not depend on {PACKAGES[name]}")
    print("\n".join(faults) or f"{2 ** len(variants)} choices of {len(variants)} variants give {len(given)} options; "
          f"{len(set(looked_for))} searches have their packages")  # fmt: skip
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
