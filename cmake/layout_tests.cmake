# Layout tests: the rules of the house that no compiler checks (scripts/check_layout.py), and the proof that those checks can fail.
set(check_layout ${PML_PYTHON} ${CMAKE_SOURCE_DIR}/scripts/check_layout.py)
add_test(NAME layout/includes COMMAND ${check_layout} includes)
add_test(NAME layout/registries COMMAND ${check_layout} registries)
add_test(NAME layout/style COMMAND ${check_layout} style)
add_test(NAME layout/header COMMAND ${check_layout} header --cc ${CMAKE_C_COMPILER})
add_test(NAME layout/checks_can_fail COMMAND ${PML_PYTHON} ${CMAKE_SOURCE_DIR}/tests/layout/test_check_layout.py)
set(layout_tests includes registries style header checks_can_fail)
if(NOT PML_SANITIZE)
    # A sanitizer links its own runtime and exports its own symbols.
    add_test(NAME layout/symbols COMMAND ${check_layout} symbols
        --library $<TARGET_FILE:pml_static> $<TARGET_FILE:pml_shared>)
    add_test(NAME layout/links COMMAND ${check_layout} links --binary $<TARGET_FILE:pml-run>)
    add_test(NAME layout/links_serve COMMAND ${check_layout} links --binary $<TARGET_FILE:pml-serve>)
    add_test(NAME layout/install COMMAND ${CMAKE_SOURCE_DIR}/tests/layout/test_install.sh
        ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR} ${CMAKE_C_COMPILER})
    list(APPEND layout_tests symbols links links_serve install)
endif()
foreach(name IN LISTS layout_tests)
    set_tests_properties(layout/${name} PROPERTIES LABELS layout ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
endforeach()
