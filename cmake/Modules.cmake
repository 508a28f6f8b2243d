# memory_module(NAME DEPENDS modules… LIBRARIES targets…): one room of the house, src/NAME with its public headers.
function(memory_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;LIBRARIES")
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${name}/*.cpp")
  add_library(memory_${name} STATIC ${sources})
  target_include_directories(memory_${name} PUBLIC "${PROJECT_SOURCE_DIR}/include" PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(memory_${name} PUBLIC tl::expected Threads::Threads PRIVATE fmt::fmt-header-only ${arg_LIBRARIES})
  foreach(dependency IN LISTS arg_DEPENDS)
    target_link_libraries(memory_${name} PUBLIC memory_${dependency})
  endforeach()
  quick_headers(memory_${name})
endfunction()

# Under a sanitizer the headers that take longest are compiled once. The other builds do without: what a source forgets
# to include is found there.
if(DUALGPUOPT_SANITIZE)
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/memory_headers.cpp" CONTENT "")
  add_library(memory_headers OBJECT "${PROJECT_BINARY_DIR}/memory_headers.cpp")
  target_link_libraries(memory_headers PRIVATE tl::expected fmt::fmt-header-only nlohmann_json::nlohmann_json)
  target_precompile_headers(memory_headers PRIVATE <algorithm> <charconv> <chrono> <filesystem> <functional> <map>
    <memory> <optional> <string> <thread> <vector> <fmt/format.h> <fmt/ranges.h> <nlohmann/json.hpp> <tl/expected.hpp>)
endif()
function(quick_headers target)
  if(DUALGPUOPT_SANITIZE)
    target_precompile_headers(${target} REUSE_FROM memory_headers)
  endif()
endfunction()

# memory_library(NAME modules…): the library users link, one archive made of the modules' objects.
function(memory_library name)
  add_library(${name} STATIC)
  foreach(module IN LISTS ARGN)
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:memory_${module}>)
  endforeach()
  set_target_properties(${name} PROPERTIES OUTPUT_NAME dualgpuopt_memory LINKER_LANGUAGE CXX)
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_include_directories(${name} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:include>")
  target_link_libraries(${name} PUBLIC tl::expected Threads::Threads ${CMAKE_DL_LIBS})
  add_library(dualgpuopt::${name} ALIAS ${name})
endfunction()
