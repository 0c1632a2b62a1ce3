/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * instant.h: whether and how a guest's memory can be mapped from a save image
 */

#pragma once

#include <stasis/domain.h>

#include "conf/domain-def.h"
#include "driver/flat-store.h"
#include "driver/job.h"
#include "driver/memory-image.h"
#include "driver/paths.h"
#include "driver/qemu-caps.h"
#include "image/chain.h"
#include "image/input.h"

G_BEGIN_DECLS

typedef struct
{
  int view;         /* (owned) what QEMU is to read instead of the image; -1: no instant restore */
  gboolean is_made; /* the flat file, just now */
  gboolean is_stamped; /* it was verified here before, and nobody has touched it since */
  StasisMemoryImage memory;
  StasisImageChain *chain; /* (owned) (nullable) of an incremental image: its root is mapped */
  StasisFlatFile *flat;    /* (owned) (nullable) mapped instead of the image; the view is a plain
                              stream then */
  char *why_not;           /* (owned) (nullable) for people */
} StasisInstant;

/* Who asks.  All borrowed. */
typedef struct
{
  const StasisImageInput *input;
  const StasisDomainDef *def;
  const StasisQemuCaps *caps;
  const StasisPaths *paths;
  StasisRestoreFlags flags; /* when to verify, whom to trust, whether to make a flat file */
  StasisJob *job;           /* told of what takes long */
} StasisInstantRequest;

#define STASIS_INSTANT_INIT \
  { \
    .view = -1 \
  }

/* TRUE where QEMU maps memory from within an image; FALSE: from a flat file, if that. */
gboolean stasis_instant_is_from_within (const StasisQemuCaps *caps);

/* Get ready.  Where it cannot be done self->view stays -1 and self->why_not says why; FALSE where
 * it was cancelled, the image is damaged, or what an incremental one stands on is not what it
 * should be. */
gboolean stasis_instant_prepare (StasisInstant *self, const StasisInstantRequest *request,
                                 GError **error);

/* QEMU was started.  Where its memory could not be mapped it is as if that had been known. */
void stasis_instant_settle (StasisInstant *self);

/* Which way that is, for people; of one that can be done. */
const char *stasis_instant_describe (const StasisInstant *self);

void stasis_instant_clear (StasisInstant *self);

G_END_DECLS
