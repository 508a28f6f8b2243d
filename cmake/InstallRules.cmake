# `cmake --install` gives the headers, the library as dualgpuopt::memory for find_package, and the gpumem command.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/dualgpuopt_memory")
install(TARGETS memory EXPORT dualgpuopt_memory_targets)
install(TARGETS gpumem)
install(DIRECTORY include/dualgpuopt DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" PATTERN daemon EXCLUDE)
install(EXPORT dualgpuopt_memory_targets NAMESPACE dualgpuopt:: DESTINATION "${package_dir}")

configure_package_config_file(cmake/dualgpuopt_memory-config.cmake.in
  "${CMAKE_CURRENT_BINARY_DIR}/dualgpuopt_memory-config.cmake" INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/dualgpuopt_memory-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/dualgpuopt_memory-config.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/dualgpuopt_memory-config-version.cmake" DESTINATION "${package_dir}")
