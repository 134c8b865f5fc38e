/* The project's version: read by CMake, printed by every command, stored in converted files. */
#define PML_VERSION "1.0.0"
