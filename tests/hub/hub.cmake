# The fake hub and what is tested against it.
if(MICROHTTPD_FOUND)
    file(GLOB fake_hub_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} tests/hub/fake_*.c)
    add_executable(fake_hub ${fake_hub_sources})
    target_link_libraries(fake_hub PRIVATE floor_base PkgConfig::MICROHTTPD PkgConfig::CJSON PkgConfig::CRYPTO PkgConfig::ZLIB)
    set_target_properties(fake_hub PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endif()

# hub_add_test(<test> <label> <seconds> <program> <argument>...): hub/<test> runs a program with arguments.
function(hub_add_test test label seconds program)
    if(MICROHTTPD_FOUND)
        add_test(NAME hub/${test} COMMAND test_hub_${program} ${ARGN})
    else()
        add_test(NAME hub/${test} COMMAND sh -c "echo libmicrohttpd was not found; exit 77")
    endif()
    set_tests_properties(hub/${test} PROPERTIES
        LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT ${seconds} ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
endfunction()

# hub_add_program(<name>): tests/hub/test_<name>.c
function(hub_add_program name)
    if(MICROHTTPD_FOUND)
        add_executable(test_hub_${name} tests/hub/test_${name}.c tests/hub/hub_fixture.c)
        target_link_libraries(test_hub_${name} PRIVATE test_harness PkgConfig::CJSON PkgConfig::CRYPTO)
        set_target_properties(test_hub_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
        add_dependencies(test_hub_${name} fake_hub pml-convert)
    endif()
endfunction()

# hub_add_tests(<label> <seconds> <name>...): tests/hub/test_<name>.c becomes hub/<name>.
function(hub_add_tests label seconds)
    foreach(name IN LISTS ARGN)
        hub_add_program(${name})
        hub_add_test(${name} ${label} ${seconds} ${name})
    endforeach()
endfunction()

hub_add_tests(unit 300 official_client)
hub_add_tests(unit 600 client ranges pace interchange)
# The matrix of faults takes a while, most of it spent in waiting: its parts run beside each other.
hub_add_program(faults)
foreach(part calls_of_the_api addresses_of_files bytes_of_files ranges_that_lie lies_about_files listings_that_lie
        waits_without_end)
    hub_add_test(faults/${part} unit 600 faults ${part})
endforeach()
# What another program loads in place of locks.
add_library(flock_stub MODULE tests/hub/flock_stub.c)
set_target_properties(flock_stub PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
hub_add_tests(slow 3000 concurrency resume)

if(MICROHTTPD_FOUND)
    add_test(NAME hub/fake_faults COMMAND ${PML_PYTHON} ${CMAKE_SOURCE_DIR}/tests/hub/check_faults.py
        $<TARGET_FILE:fake_hub>)
else()
    add_test(NAME hub/fake_faults COMMAND sh -c "echo libmicrohttpd was not found; exit 77")
endif()
set_tests_properties(hub/fake_faults PROPERTIES LABELS unit SKIP_RETURN_CODE 77 TIMEOUT 120)

# Batches: whole commands, and the kill at random points; the long form of it is slow.
hub_add_tests(unit 300 batch batch_kill)
if(MICROHTTPD_FOUND)
    add_dependencies(test_hub_batch pml-convert)
    add_dependencies(test_hub_batch_kill pml-convert)
    add_test(NAME hub/batch_kill_200 COMMAND test_hub_batch_kill)
    set_tests_properties(hub/batch_kill_200 PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 3000
        ENVIRONMENT "${PML_TEST_ENVIRONMENT};PML_TEST_KILLS=200")
endif()

# Every call of the system fails in its turn: some of them always, all of them in the slow form.
if(MICROHTTPD_FOUND)
    add_executable(test_hub_io_faults tests/hub/test_io_faults.c tests/hub/hub_fixture.c)
    target_link_libraries(test_hub_io_faults PRIVATE test_harness PkgConfig::CJSON PkgConfig::CRYPTO)
    set_target_properties(test_hub_io_faults PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_dependencies(test_hub_io_faults pml-convert fake_hub io_shim)
    foreach(form some all)
        add_test(NAME hub/io_faults_${form} COMMAND test_hub_io_faults ${form})
        set_tests_properties(hub/io_faults_${form} PROPERTIES
            LABELS unit SKIP_RETURN_CODE 77 TIMEOUT 3000 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
    endforeach()
    set_tests_properties(hub/io_faults_all PROPERTIES LABELS slow)
endif()
