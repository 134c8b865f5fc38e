# Training and tuning: the program that `pml-run train` and `pml-run tune` execute.
add_executable(pml-train ${train_sources})
target_link_libraries(pml-train PRIVATE room_cli floor_tune)
target_link_options(pml-train PRIVATE -Wl,--as-needed -Wl,--gc-sections)
# Where an installation has modules, seen from the programs.
file(RELATIVE_PATH modules ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR}/pml)
target_compile_definitions(pml-train PRIVATE PML_MODULES="${modules}")

# The module that joins ranks: loaded where a launcher started several, so that nothing else links MPI. Without Open MPI there is none.
pkg_check_modules(MPI IMPORTED_TARGET ompi-c)
if(NOT MPI_FOUND)
    message(STATUS "Open MPI is not there: a training has one rank")
    return()
endif()
file(GLOB mpi_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} runtime/mpi/*.c)
add_library(pml-mpi MODULE ${mpi_sources})
target_link_libraries(pml-mpi PRIVATE floor_base PkgConfig::MPI)
target_link_options(pml-mpi PRIVATE -Wl,--as-needed -Wl,--gc-sections)
set_target_properties(pml-mpi PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
