# Language level, warnings, sanitizers and ccache, for every target of the project.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Without the sloppiness nothing would be found again that is built with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${CCACHE_PROGRAM}")
endif()

if(DUALGPUOPT_DEVELOPER AND NOT DEFINED CMAKE_COMPILE_WARNING_AS_ERROR)
  set(CMAKE_COMPILE_WARNING_AS_ERROR ON)
endif()
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  add_compile_options(-Wthread-safety)
elseif(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  add_compile_options(-Wno-restrict)  # false alarms on `"literal" + std::string` in GCC 12 (its bug 105651)
endif()
if(DUALGPUOPT_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")  # a sanitizer sees as much, and it builds in half the time
  add_compile_options(-fsanitize=${DUALGPUOPT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${DUALGPUOPT_SANITIZE})
  if(DUALGPUOPT_SANITIZE MATCHES "address" AND CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND NOT DUALGPUOPT_FUZZERS)
    set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O0 -g1")  # a third of the time that GCC takes
    # The runtime as a library, which Python can load before the package.
    execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -print-runtime-dir OUTPUT_VARIABLE sanitizer_runtimes
      OUTPUT_STRIP_TRAILING_WHITESPACE)
    add_link_options(-shared-libsan "-Wl,-rpath,${sanitizer_runtimes}")
    # A driver's functions, found by name, are written with the driver's own names for the types of their arguments.
    add_compile_options(-fno-sanitize=function)
  endif()
endif()
if(DUALGPUOPT_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(DUALGPUOPT_CLANG_TIDY)
  find_program(CLANG_TIDY_PROGRAM NAMES clang-tidy-16 clang-tidy REQUIRED)
  set(CMAKE_CXX_CLANG_TIDY "${CLANG_TIDY_PROGRAM};--quiet")
endif()
