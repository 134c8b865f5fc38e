# The HTTP server: a floor of its own between text and cli, no part of libpml, and the program that `pml-run serve` executes.
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
file(GLOB serve_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} runtime/serve/*.c)
add_library(floor_serve STATIC ${serve_sources})
target_link_libraries(floor_serve PUBLIC floor_text PkgConfig::MICROHTTPD)
add_executable(pml-serve runtime/cli/serve_main.c runtime/cli/cmd_serve.c)
target_link_libraries(pml-serve PRIVATE room_cli floor_serve)
target_link_options(pml-serve PRIVATE -Wl,--as-needed -Wl,--gc-sections)
