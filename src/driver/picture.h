/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * picture.h: the domains of a state directory, as a process that stays hears of them
 */

#pragma once

#include <stasis/driver.h>

#include "driver/domain-news.h"
#include "driver/facts.h"

G_BEGIN_DECLS

typedef struct _StasisPicture StasisPicture;

/* Begin to watch, in this main context, where @func is called for what happens from now on: how
 * things are now is not told.  The context is never blocked for long. */
StasisPicture *stasis_picture_new (StasisDriver *driver, GMainContext *context, StasisNewsFunc func,
                                   gpointer data, GError **error);
/* In that context, when no thread uses a driver with it any more.  NULL is fine. */
void stasis_picture_free (StasisPicture *self);

/* From now on this driver, of the same state directory, answers from it what it can; NULL: no
 * more.  Before other threads use the driver. */
void stasis_picture_serve (StasisPicture *self, StasisDriver *driver);

/* From any thread, and all as of now: what processes of this host did before the call is in it.
 * Where one says nothing, because there is no picture or something of it is not certain, the state
 * directory is to be read and the supervisor asked. */

/* Those of a domain, without its name. */
gboolean stasis_picture_get (StasisDriver *driver, const char *name, StasisFacts *out);
/* (transfer full) (nullable): the name of the domain that has it. */
char *stasis_picture_find_uuid (StasisDriver *driver, const guint8 *uuid);
char *stasis_picture_find_id (StasisDriver *driver, int id);
/* (element-type StasisFacts) (transfer full) (nullable): of all domains, in no order.  Of those
 * that are not certain there is only the name. */
GArray *stasis_picture_list (StasisDriver *driver);
/* They were read after the facts of that definition_number were given. */
void stasis_picture_note_sizes (StasisDriver *driver, const char *name, guint64 definition_number,
                                const StasisSizes *sizes);

G_END_DECLS
