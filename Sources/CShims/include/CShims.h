/* What C can say and Swift 6.3 cannot; each header says why. */
#include "pause.h"
#include "prefetch.h"
