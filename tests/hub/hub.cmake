# The fake hub and what is tested against it. Without libmicrohttpd these tests are skipped by name.
pkg_check_modules(MICROHTTPD IMPORTED_TARGET libmicrohttpd)
if(MICROHTTPD_FOUND)
    file(GLOB fake_hub_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} tests/hub/fake_*.c)
    add_executable(fake_hub ${fake_hub_sources})
    target_link_libraries(fake_hub PRIVATE floor_base PkgConfig::MICROHTTPD PkgConfig::CJSON PkgConfig::CRYPTO PkgConfig::ZLIB)
    set_target_properties(fake_hub PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endif()
