/* Without its tell(), a name that the tests want. */
#define tell tell_of_io_h
#include_next <io.h>
#undef tell
