/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c: adding to what an error says
 *
 * g_prefix_error() can only put something in front, and a prefix that is not a phrase of its own
 * cannot be translated.
 */

#include "config.h"

#include "util/error.h"

/* Another message. */
void
stasis_error_set_message (GError *error, char *message_take)
{
  g_free (error->message);
  error->message = message_take;
}
