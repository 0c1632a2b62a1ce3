/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.h: notice what becomes of the run folder and of a job's owner
 */

#pragma once

#include "driver/status.h"

G_BEGIN_DECLS

typedef struct _StasisWatch StasisWatch;

/* All called in the default main context. */
typedef struct
{
  void (*status_changed) (const StasisStatus *status, gpointer data); /* status.json is another */
  void (*owner_died) (gpointer data);  /* the owner of a journalled job lives no more */
  void (*status_gone) (gpointer data); /* it was removed, the folder perhaps as well */
} StasisWatchFuncs;

/* @folder and @funcs outlive it.  The first status is reported before this returns. */
StasisWatch *stasis_watch_new (const char *folder, const StasisWatchFuncs *funcs, gpointer data,
                               GError **error);

/* Look at status.json again. */
void stasis_watch_look (StasisWatch *watch);

G_END_DECLS
