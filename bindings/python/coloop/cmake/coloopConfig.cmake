# find_package(coloop): the target coloop::coloop is the library and the headers
# of this Python package, and coloop::headers the headers alone, for extensions
# that use coloop_capi.h and do not link.
get_filename_component(coloop_ROOT "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)

if(NOT TARGET coloop::headers)
  add_library(coloop::headers INTERFACE IMPORTED)
  set_target_properties(coloop::headers PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${coloop_ROOT}/include")

  add_library(coloop::coloop SHARED IMPORTED)
  set_target_properties(coloop::coloop PROPERTIES
    IMPORTED_LOCATION "${coloop_ROOT}/lib/libcoloop.so.0"
    IMPORTED_SONAME "libcoloop.so.0"
    INTERFACE_INCLUDE_DIRECTORIES "${coloop_ROOT}/include")
endif()
