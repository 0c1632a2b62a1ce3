/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uuid.h: UUIDs as text and as octets
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define STASIS_UUID_SIZE 16u /* octets */

/* The octets of a UUID in its usual spelling; G_IO_ERROR_INVALID_ARGUMENT where it is none. */
gboolean stasis_uuid_parse (const char *text, guint8 out_octets[STASIS_UUID_SIZE], GError **error);

/* (transfer full): lower case, with hyphens */
char *stasis_uuid_format (const guint8 octets[STASIS_UUID_SIZE]);

G_END_DECLS
