/* The package manager wants a source file in every target; the header has everything. */
#include "prefetch.h"
