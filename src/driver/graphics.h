/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * graphics.h: the display of a running domain, for who has a socket
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

/* QEMU speaks the protocol of that display on a socket (borrowed) from now on.
 * @skip_auth: without asking for a password */
gboolean stasis_domain_open_graphics (StasisDomain *self, guint index, int fd, gboolean skip_auth,
                                      GError **error);
/* The same, on a new socket: our end of it (yours), or -1. */
int stasis_domain_open_graphics_fd (StasisDomain *self, guint index, gboolean skip_auth,
                                    GError **error);

G_END_DECLS
