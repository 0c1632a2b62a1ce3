/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-console.h: the host's side of a guest's console that is on a server
 */

#pragma once

#include "remote/client.h"

G_BEGIN_DECLS

/* The call that opens the stream, and a socket that leads there: whoever closes that ends the
 * stream.  -1 on failure. */
int stasis_client_console_open (StasisClient *client, const StasisWireValue *args, GError **error);

/* Those that are still open end, as the connection is about to. */
void stasis_client_consoles_end (StasisClient *client);

G_END_DECLS
