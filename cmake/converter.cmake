# The rooms above runtime/, which make .pml files, with the libraries that they need; left out by -DPML_RUNTIME_ONLY=ON.
include(cmake/protobuf.cmake)
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(PROTOBUFC REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(HDF5 IMPORTED_TARGET hdf5) # optional: without it *.h5 is a format that this build does not read

file(GLOB formats_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} formats/*.c formats/*/*.c)
if(NOT HDF5_FOUND)
    list(FILTER formats_sources EXCLUDE REGEX "^formats/hdf5/")
endif()
add_library(room_formats STATIC ${formats_sources})
target_link_libraries(room_formats PUBLIC floor_file PkgConfig::CJSON
    PRIVATE PkgConfig::ARCHIVE PkgConfig::ZLIB PkgConfig::PROTOBUFC)
pml_add_messages(room_formats formats/onnx/onnx.proto)
if(HDF5_FOUND)
    target_link_libraries(room_formats PRIVATE PkgConfig::HDF5)
    target_compile_definitions(room_formats PRIVATE PML_WITH_HDF5)
endif()

file(GLOB mappers_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} mappers/*.c mappers/*/*.c)
add_library(room_mappers STATIC ${mappers_sources})
target_link_libraries(room_mappers PUBLIC room_formats floor_schema)

file(GLOB convert_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} convert/*.c convert/*/*.c)
list(REMOVE_ITEM convert_sources convert/convert_main.c)
add_library(room_convert STATIC ${convert_sources})
target_link_libraries(room_convert PUBLIC room_mappers room_cli PkgConfig::CRYPTO PRIVATE PkgConfig::CURL PkgConfig::ZSTD)

add_executable(pml-convert convert/convert_main.c)
target_link_libraries(pml-convert PRIVATE room_convert)
target_link_options(pml-convert PRIVATE -Wl,--as-needed)
