/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-place.h: where a save image goes: a file by its name, or a descriptor
 */

#pragma once

#include "driver/save-sink.h"
#include "driver/save-target.h"
#include "driver/status.h"

G_BEGIN_DECLS

typedef struct
{
  char *name;                     /* (owned) for people: the path, "standard output" ... */
  StasisSaveTarget *target;       /* (owned) (nullable) of a file */
  int fifo;                       /* (owned) a FIFO that is to be opened (O_PATH), or -1 */
  StasisAtomicFile *file;         /* (owned) (nullable) once it was begun */
  int fd;                         /* (borrowed) descriptor, or -1 */
  int own_fd;                     /* (owned) of the FIFO, or -1 */
  const StasisSaveReader *reader; /* (borrowed) (nullable) behind who reads the descriptor */
  StasisSaveSink *sink;           /* (owned) (nullable) into the descriptor, once it was begun */
} StasisSavePlace;

/* @path NULL: @fd, called @fd_name (nullable).  Refuses what no image belongs into: a terminal, a
 * device, a file that is no image; a file behind @path is not touched yet. */
StasisSavePlace *stasis_save_place_new (const char *path, int fd, const char *fd_name,
                                        GError **error);

/* TRUE where nothing that was written can be rewritten: any descriptor. */
gboolean stasis_save_place_is_stream (const StasisSavePlace *place);

/* Open a FIFO, which has to wait for somebody who reads it.  Nothing to do is success. */
gboolean stasis_save_place_open (StasisSavePlace *place, GCancellable *cancellable, GError **error);

/* Begin the new file, or the way into the descriptor, which holds back the last @keep octets. */
gboolean stasis_save_place_begin (StasisSavePlace *place, gsize keep, GError **error);

/* The descriptor of the new file (borrowed), -1 where it is none. */
int stasis_save_place_file_fd (const StasisSavePlace *place);

/* What recovery has to know. */
gboolean stasis_save_place_note (const StasisSavePlace *place, StasisJournal *journal,
                                 GError **error);

/* Octets of the image so far.  Any thread. */
guint64 stasis_save_place_written (const StasisSavePlace *place);

/* NULL is fine. */
void stasis_save_place_free (StasisSavePlace *place);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSavePlace, stasis_save_place_free)

G_END_DECLS
