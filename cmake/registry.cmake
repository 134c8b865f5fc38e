# Registries: the same X-macro lists that C expands give CMake its plug-in sources and their tests.
# A line without its source or its test stops the configuration.

# pml_registry(<out> <file> <macro>): the argument lists of `MACRO(a, b, ...)` lines as "a|b|...".
function(pml_registry out file macro)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${file}")
    file(STRINGS "${CMAKE_SOURCE_DIR}/${file}" lines REGEX "^${macro}\\([a-z0-9_, ]+\\)$")
    set(rows "")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^${macro}\\((.*)\\)$" "\\1" row "${line}")
        string(REPLACE " " "" row "${row}")
        string(REPLACE "," "|" row "${row}")
        list(APPEND rows "${row}")
    endforeach()
    set(${out} "${rows}" PARENT_SCOPE)
endfunction()

# pml_require(<registry file> <row> <path>...): every path must exist.
function(pml_require registry row)
    foreach(path IN LISTS ARGN)
        if(NOT EXISTS "${CMAKE_SOURCE_DIR}/${path}")
            message(FATAL_ERROR "${registry}: '${row}' needs ${path}, which does not exist")
        endif()
    endforeach()
endfunction()

pml_registry(PML_FAMILIES runtime/schema/registry.def PML_FAMILY)
foreach(family IN LISTS PML_FAMILIES)
    pml_require(runtime/schema/registry.def ${family}
        runtime/schema/${family}.c mappers/${family}.c runtime/models/${family}.c
        tests/runtime/schema/test_${family}.c tests/mappers/test_${family}.c tests/runtime/models/test_${family}.c)
endforeach()

pml_registry(PML_FORMATS formats/registry.def PML_FORMAT)
foreach(format IN LISTS PML_FORMATS)
    pml_require(formats/registry.def ${format} formats/${format}.c tests/formats/test_${format}.c)
endforeach()

pml_registry(PML_BACKENDS runtime/backends/registry.def PML_BACKEND)
foreach(backend IN LISTS PML_BACKENDS)
    pml_require(runtime/backends/registry.def ${backend}
        runtime/backends/${backend}.c tests/runtime/backends/test_${backend}.c)
endforeach()

# What training is made of: PML_LOSS(mse) -> runtime/train/losses/mse.c and tests/runtime/train/losses/test_mse.c.
set(PML_TRAIN_KINDS losses optimizers schedules initializers logs)
foreach(row losses:PML_LOSS optimizers:PML_OPTIMIZER schedules:PML_SCHEDULE initializers:PML_INITIALIZER
        logs:PML_TRAIN_LOG)
    string(REPLACE ":" ";" parts "${row}")
    list(GET parts 0 folder)
    list(GET parts 1 macro)
    pml_registry(plugins runtime/train/${folder}/registry.def ${macro})
    foreach(plugin IN LISTS plugins)
        pml_require(runtime/train/${folder}/registry.def ${plugin}
            runtime/train/${folder}/${plugin}.c tests/runtime/train/${folder}/test_${plugin}.c)
    endforeach()
endforeach()

foreach(macro PML_SAMPLER PML_PRUNER)
    pml_registry(plugins runtime/tune/registry.def ${macro})
    foreach(plugin IN LISTS plugins)
        pml_require(runtime/tune/registry.def ${plugin} runtime/tune/${plugin}.c tests/runtime/tune/test_${plugin}.c)
    endforeach()
endforeach()

# Kernels: PML_KERNEL(kind, op_dtype, isa) -> runtime/kernels/<op_dtype>_<isa>.c, compiled with that bundle's flags.
set(PML_ISA_FLAGS_scalar "")
set(PML_ISA_FLAGS_avx2 "-mavx2 -mfma -mf16c")
set(PML_ISA_FLAGS_avx512 "-mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512")
set(PML_ISA_FLAGS_avxvnni "${PML_ISA_FLAGS_avx2} -mavxvnni")
set(PML_ISA_FLAGS_avx512vnni "${PML_ISA_FLAGS_avx512} -mavx512vnni")
set(PML_ISA_FLAGS_avx512bf16 "${PML_ISA_FLAGS_avx512} -mavx512bf16")
set(PML_ISA_FLAGS_neon "")
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # gcc's early scheduling loads all factors of a tile before their use, and spills sums for them.
    set(PML_ISA_FLAGS_neon "-fno-schedule-insns")
endif()
set(PML_ISA_FLAGS_sdot "${PML_ISA_FLAGS_neon} -march=armv8.2-a+dotprod")
set(PML_ISA_HERE scalar)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND PML_ISA_HERE avx2 avxvnni avx512 avx512vnni avx512bf16)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
    list(APPEND PML_ISA_HERE neon sdot)
endif()
pml_registry(PML_KERNELS runtime/kernels/registry.def PML_KERNEL)
set(PML_KERNEL_SOURCES "")
foreach(row IN LISTS PML_KERNELS)
    string(REPLACE "|" ";" parts "${row}")
    list(GET parts 1 op)
    list(GET parts 2 isa)
    set(source runtime/kernels/${op}_${isa}.c)
    pml_require(runtime/kernels/registry.def "${row}" ${source} tests/runtime/kernels/test_${op}.c)
    if(NOT DEFINED PML_ISA_FLAGS_${isa})
        message(FATAL_ERROR "runtime/kernels/registry.def: '${row}' names an unknown instruction set '${isa}'")
    endif()
    if(isa IN_LIST PML_ISA_HERE)
        list(APPEND PML_KERNEL_SOURCES ${source})
        set_source_files_properties(${source} PROPERTIES COMPILE_FLAGS "${PML_ISA_FLAGS_${isa}}")
    endif()
endforeach()
