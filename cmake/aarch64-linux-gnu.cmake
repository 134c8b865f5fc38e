# Cross build for 64-bit Arm with Debian's gcc-aarch64-linux-gnu; programs run under qemu-user on any machine:
#   cmake -S . -B build/arm -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake -DPML_RUNTIME_ONLY=ON
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
find_program(PML_QEMU_AARCH64 qemu-aarch64)
if(PML_QEMU_AARCH64)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${PML_QEMU_AARCH64};-L;/usr/aarch64-linux-gnu)
endif()
# Only packages of that architecture: those of this machine would not link.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
