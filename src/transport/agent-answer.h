/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent-answer.h: what an ssh agent answers
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* (transfer full) (element-type GBytes): public keys that libssh2 can use, in the agent's order, of
 * its list without the type; NULL with an error where that is cut short. */
GPtrArray *stasis_ssh_agent_parse_keys (const guint8 *octets, gsize size,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The signature itself, without the name in front of it (borrowed from @octets); FALSE where there
 * is none. */
gboolean stasis_ssh_agent_parse_signature (const guint8 *octets, gsize size,
                                           const guint8 **out_signature, gsize *out_size);

G_END_DECLS
