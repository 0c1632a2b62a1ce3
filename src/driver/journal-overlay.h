/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal-overlay.h: the overlays that a job lays over disks, as its journal notes them
 */

#pragma once

#include "util/atomic-file.h"
#include "util/json.h"

G_BEGIN_DECLS

typedef struct
{
  char *path;        /* (owned) */
  char *temp;        /* (owned) the hidden name that it may have before */
  StasisFileId file; /* which it is */
  gint64 mtime_ns;   /* when it was made: a later one has been written to */
  char *node;        /* (owned) (nullable) a guest that runs: what it lies on, in QEMU */
  char *overlay;     /* (owned) (nullable) and its own name there, of a pair of nodes */
  gint64 fdset;      /* in QEMU, or -1 */
} StasisJournalOverlay;

/* (transfer full): of StasisJournalOverlay, freed with the array. */
GPtrArray *stasis_journal_overlays_new (void);
/* (transfer full): by the names of paths as the status file writes them. */
StasisJson *stasis_journal_overlays_to_json (const GPtrArray *overlays);
/* (transfer full) (nullable): what makes no sense is left out. */
GPtrArray *stasis_journal_overlays_from_json (const StasisJson *json);

/* The files, as far as they are those.  TRUE where none is left. */
gboolean stasis_journal_overlays_unlink (const GPtrArray *overlays, GError **error);
/* TRUE where somebody has written to one of them, or it cannot be told. */
gboolean stasis_journal_overlays_are_written (const GPtrArray *overlays);

G_END_DECLS
