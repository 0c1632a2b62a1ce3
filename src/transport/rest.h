/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rest.h: what is left of octets made of words and of strings with their lengths, as ssh's are
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  const guint8 *at; /* (borrowed) */
  gsize left;
} StasisSshRest;

/* Take the next of them; FALSE where it is not whole. */
gboolean stasis_ssh_take_word (StasisSshRest *rest, guint32 *out_word);
gboolean stasis_ssh_take_string (StasisSshRest *rest, StasisSshRest *out_string);

G_END_DECLS
