# Tests mirror the tree: tests/<room>/test_<file>.c becomes the CTest `<room>/<file>`, linked to that room and those below.
# A test program exits 77 when it must be skipped (golden data absent); CTest shows it as skipped, by name.
pkg_check_modules(CUNIT REQUIRED IMPORTED_TARGET cunit)
add_library(test_harness STATIC tests/harness.c)
target_link_libraries(test_harness PUBLIC floor_base PkgConfig::CUNIT)
if(PML_SANITIZE)
    target_compile_definitions(test_harness PUBLIC PML_TEST_SANITIZED) # bounds of memory and speed hold without sanitizers
endif()

set(PML_TEST_ENVIRONMENT
    "PML_TEST_SOURCE_DIR=${CMAKE_SOURCE_DIR}" "PML_TEST_BINARY_DIR=${CMAKE_BINARY_DIR}"
    "PML_TEST_PYTHON=${PML_PYTHON}" "ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1" "UBSAN_OPTIONS=print_stacktrace=1")

# pml_add_tests(<folder under tests/> <label> <libraries>...)
function(pml_add_tests folder label)
    file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} tests/${folder}/test_*.c)
    foreach(source IN LISTS sources)
        get_filename_component(name ${source} NAME_WE)
        string(REGEX REPLACE "^test_" "" name ${name})
        string(REPLACE "/" "_" target "test_${folder}_${name}")
        add_executable(${target} ${source})
        target_link_libraries(${target} PRIVATE test_harness ${ARGN})
        set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
        add_test(NAME ${folder}/${name} COMMAND ${target})
        set_tests_properties(${folder}/${name} PROPERTIES
            LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT 300 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
    endforeach()
endfunction()

foreach(floor IN LISTS PML_FLOORS)
    pml_add_tests(runtime/${floor} unit floor_${floor})
endforeach()
pml_add_tests(runtime/cli unit room_cli)
pml_add_tests(formats unit room_formats)
if(HDF5_FOUND)
    target_link_libraries(test_formats_hdf5 PRIVATE PkgConfig::HDF5) # it makes files to be refused
    target_compile_definitions(test_formats_hdf5 PRIVATE PML_WITH_HDF5)
endif()
pml_add_tests(mappers unit room_mappers)
pml_add_tests(convert unit room_convert)

# ---- fuzz harnesses: one per kind. Always built as replayers of their corpus; with PML_FUZZ also as libFuzzer targets.
function(pml_add_fuzz kind)
    add_executable(replay_${kind} tests/fuzz/fuzz_${kind}.c tests/fuzz/replay.c)
    target_link_libraries(replay_${kind} PRIVATE ${ARGN})
    set_target_properties(replay_${kind} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME fuzz-replay/${kind} COMMAND replay_${kind} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${kind})
    set_tests_properties(fuzz-replay/${kind} PROPERTIES LABELS fuzz-replay ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
    if(PML_FUZZ)
        add_executable(fuzz_${kind} tests/fuzz/fuzz_${kind}.c)
        target_compile_options(fuzz_${kind} PRIVATE -fsanitize=fuzzer)
        target_link_options(fuzz_${kind} PRIVATE -fsanitize=fuzzer)
        target_link_libraries(fuzz_${kind} PRIVATE ${ARGN})
    endif()
endfunction()
pml_add_fuzz(safetensors room_formats)
pml_add_fuzz(json room_formats)
pml_add_fuzz(torch room_formats)
pml_add_fuzz(archive room_formats)
pml_add_fuzz(shipped room_convert)
pml_add_fuzz(onnx room_formats)
pml_add_fuzz(numpy room_formats)
pml_add_fuzz(tf_index room_formats)
pml_add_fuzz(pml floor_file)
pml_add_fuzz(csv floor_series)
pml_add_fuzz(wordpiece floor_text)
pml_add_fuzz(tokenizer_json room_convert)
pml_add_fuzz(batch_manifest room_convert)
pml_add_fuzz(models_page room_convert)

include(cmake/layout_tests.cmake)
include(tests/tests.cmake)
include(tests/hub/hub.cmake)

# ---- bench helpers: run by scripts/bench, never timed by a test --------------------------------------------------
add_executable(bench_open tests/bench/bench_open.c)
target_link_libraries(bench_open PRIVATE floor_file)
add_executable(bench_tokenizer tests/bench/bench_tokenizer.c)
target_link_libraries(bench_tokenizer PRIVATE floor_text)
