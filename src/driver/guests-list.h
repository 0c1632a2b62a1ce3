/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guests-list.h: the domains that ran when the guests were stopped
 */

#pragma once

#include "driver/driver-private.h"

G_BEGIN_DECLS

/* (element-type StasisGuest) (transfer full): all of them, by name.  One whose entry cannot be read
 * has no UUID, and a message. */
GPtrArray *stasis_guests_list_load (StasisDriver *driver, GError **error);

/* Set the entry of this domain: it is on disk on return.  @message (nullable): why it could not be
 * brought back. */
gboolean stasis_guests_list_set (StasisDriver *driver, const char *name, const char *uuid,
                                 StasisGuestState state, const char *message, GError **error);

/* Take it off the list.  One that is not there is fine. */
void stasis_guests_list_remove (StasisDriver *driver, const char *name);

G_END_DECLS
