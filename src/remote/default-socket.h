/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * default-socket.h: where a stasisd is found of which nobody has said more
 */

#pragma once

#include "driver/paths.h"

G_BEGIN_DECLS

#define STASIS_DAEMON_SOCKET    "stasis-sock"
#define STASIS_DAEMON_READ_ONLY "-ro" /* behind the name of the other */

/* (transfer full) */
char *stasis_default_socket (const StasisPaths *paths);

G_END_DECLS
