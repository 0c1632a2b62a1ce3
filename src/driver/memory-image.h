/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-image.h: a save image that a guest's memory is mapped from
 */

#pragma once

#include "driver/status.h"

G_BEGIN_DECLS

typedef struct
{
  int fd;              /* (borrowed) the image */
  const char *name;    /* (borrowed) */
  guint64 offset;      /* of the pages in it */
  const char *flat_of; /* (borrowed) (nullable) it is the flat file of this image */
  StasisMemoryCheck check;
  gint64 since_us; /* monotonic: when somebody wanted to use it */
  char *stamp;     /* (owned) (nullable) where it stands that it was verified */
  char *refusal;   /* (owned) (nullable) out: why the memory could not be mapped after all */
} StasisMemoryImage;

/* TRUE where the file system is in memory.  There a page that is read where the file has a hole is
 * a page of the file from then on: a guest would fill the file system by reading, and die where it
 * is full. */
gboolean stasis_memory_image_is_in_memory (int fd);

/* The image opened for a QEMU that runs as user @uid, which may open it again by /proc/self/fd.
 * With the descriptor goes a shared lock.  -1 where that cannot be had. */
int stasis_memory_image_open (const StasisMemoryImage *self, guint32 uid,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* (transfer full) A path of the file behind @fd, which is @id: @name where that leads to it. */
char *stasis_memory_image_path (int fd, const char *name, const StasisFileId *id);

/* Note in the status which image it is. */
gboolean stasis_memory_image_note (const StasisMemoryImage *self, StasisStatus *status,
                                   GError **error);

/* Take back the lock that went with the descriptor which QEMU inherited.  May be done twice. */
gboolean stasis_memory_image_unlock (const StasisProcess *qemu, const StasisFileId *image,
                                     GError **error);

G_END_DECLS
