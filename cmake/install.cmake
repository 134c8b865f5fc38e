# What `cmake --install` puts where: the commands, libpml in both forms, one header, pkg-config and CMake packages.
include(CMakePackageConfigHelpers)
set(commands pml-run)
if(NOT PML_RUNTIME_ONLY)
    list(APPEND commands pml-convert pml-serve)
endif()
install(TARGETS ${commands} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS pml_static pml_shared EXPORT pmlTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES runtime/pml.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pml)
set(PML_CSV_OPTION "")
if(PML_CSV_LIBRARY)
    set(PML_CSV_OPTION "-l${PML_CSV_LIBRARY} ")
endif()
configure_file(cmake/libpml.pc.in ${CMAKE_BINARY_DIR}/libpml.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/libpml.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pml)
install(EXPORT pmlTargets NAMESPACE pml:: DESTINATION ${package_dir})
configure_package_config_file(cmake/pmlConfig.cmake.in ${CMAKE_BINARY_DIR}/pmlConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/pmlConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_BINARY_DIR}/pmlConfig.cmake ${CMAKE_BINARY_DIR}/pmlConfigVersion.cmake
    DESTINATION ${package_dir})
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
