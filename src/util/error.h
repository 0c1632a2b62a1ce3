/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h: adding to what an error says
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Say @message_take instead; what kind of error it is stays. */
void stasis_error_set_message (GError *error, char *message_take);

G_END_DECLS
