/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.h: what another host says, made fit for a message
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full): one line of UTF-8 without control characters, not longer than a few hundred
 * octets: a host must not write to a terminal what it likes.  @length -1: up to the NUL. */
char *stasis_ssh_one_line (const char *text, gssize length);

G_END_DECLS
