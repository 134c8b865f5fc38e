# Other processors than this one, under qemu-user: 64-bit Arm from a cross build of the runtime, and x86-64 without AVX-512 or AVX.
# Skipped by name where the cross compiler or the emulator is not installed.
set(emulated ${CMAKE_SOURCE_DIR}/tests/emulated)
add_test(NAME arm/build COMMAND ${emulated}/build_arm.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
set_tests_properties(arm/build PROPERTIES FIXTURES_SETUP arm TIMEOUT 1200 PROCESSORS 2 COST 1000)

# Every variant of every kernel beside its scalar twin; what is above them; and where SDOT is not there to be chosen.
add_test(NAME arm/kernels COMMAND ${emulated}/run_arm.sh ${CMAKE_BINARY_DIR} max ^runtime/kernels/)
add_test(NAME arm/runtime COMMAND ${emulated}/run_arm.sh ${CMAKE_BINARY_DIR} max
    "^runtime/(base|file|schema|tensor|backends|ops|models)/" model_hostile) # long, and not about processors
add_test(NAME arm/no_sdot COMMAND ${emulated}/run_arm.sh ${CMAKE_BINARY_DIR} cortex-a72
    "^runtime/(backends/|kernels/kernels|ops/linear)")
add_test(NAME arm/files COMMAND ${emulated}/run_arm_files.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
set_tests_properties(arm/kernels arm/runtime arm/no_sdot arm/files PROPERTIES FIXTURES_REQUIRED arm TIMEOUT 900)
add_test(NAME emulated/old_x86 COMMAND ${emulated}/run_old_x86.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
set_tests_properties(emulated/old_x86 PROPERTIES TIMEOUT 300 LABELS unit)
set_tests_properties(arm/build arm/kernels arm/runtime arm/no_sdot arm/files PROPERTIES LABELS arm)
set_tests_properties(arm/build arm/kernels arm/runtime arm/no_sdot arm/files emulated/old_x86 PROPERTIES
    SKIP_RETURN_CODE 77 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
