# Third-party libraries, all from the system's packages and all header-only for what ships: docs/dependencies.md says why each.
find_package(tl-expected REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Threads REQUIRED)

# Debian's toml++ target links its shared library; the headers alone do the same and keep gpumem one file.
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)
if(NOT TARGET tomlplusplus::tomlplusplus)
  add_library(tomlplusplus::tomlplusplus INTERFACE IMPORTED)
  target_include_directories(tomlplusplus::tomlplusplus INTERFACE "${TOMLPLUSPLUS_INCLUDE_DIR}")
  target_compile_definitions(tomlplusplus::tomlplusplus INTERFACE TOML_EXCEPTIONS=0)
endif()

if(DUALGPUOPT_DEVELOPER)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
  find_library(RAPIDCHECK_LIBRARY rapidcheck REQUIRED)
  add_library(rapidcheck::rapidcheck STATIC IMPORTED)
  set_target_properties(rapidcheck::rapidcheck PROPERTIES IMPORTED_LOCATION "${RAPIDCHECK_LIBRARY}")
endif()
