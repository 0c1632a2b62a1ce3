/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source-private.h: what a source is made of
 */

#pragma once

#include "driver/source.h"
#include "image/libvirt-image.h"
#include "image/streamed-reader.h"
#include "image/trailer.h"

G_BEGIN_DECLS

struct _StasisSource
{
  char *name; /* (owned) */
  StasisImageKind kind;
  int fd; /* (owned) or -1 where an image below has it */
  gboolean is_pipe;
  StasisStreamIn *pipe;           /* (owned) (nullable) */
  StasisStreamIn *whole;          /* (owned) (nullable) what is read of @pipe, from its beginning */
  StasisImage *image;             /* (owned) (nullable) ours, a file */
  StasisStreamedReader *streamed; /* (owned) (nullable) ours, a pipe */
  StasisLibvirtImage *libvirt;    /* (owned) (nullable) */
  guint8 uuid[STASIS_UUID_SIZE];  /* of a trailer */
  guint64 body_end;               /* before a trailer */
};

G_END_DECLS
