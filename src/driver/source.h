/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.h: what a restore wants of a saved state, of whatever kind
 */

#pragma once

#include "driver/job.h"
#include "image/input.h"
#include "monitor/monitor.h"
#include "util/process.h"

G_BEGIN_DECLS

/* As stasis_image_input_open(); a kind that cannot be restored from a pipe is refused, too. */
StasisImageInput *stasis_source_open (int fd_take, const char *name, GCancellable *cancellable,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* (transfer full): the domain XML, with libvirt's cookie applied; NULL without an error where the
 * image has none, but the UUID of a domain whose definition is to be used. */
char *stasis_source_xml (const StasisImageInput *input, GError **error);

/* What the form of 2007 does not say: a guest from it is paused. */
gboolean stasis_source_was_running (const StasisImageInput *input);

/* TRUE where QEMU reads the body, or what is made of a packed one, by mapped-ram. */
gboolean stasis_source_is_mapped (const StasisImageInput *input);

typedef struct
{
  StasisImageInput *input;   /* (borrowed) */
  int view;                  /* (borrowed) or -1: what QEMU is to read where its memory is mapped
                                from the image */
  const char *engine;        /* (nullable) with a view: which way that is, for people */
  gboolean verify;           /* a mapped body, while QEMU loads it */
  const StasisProcess *qemu; /* (borrowed) its process, for the progress */
} StasisSourceLoad;

/* Let a QEMU that was started with `-incoming defer` load the body, and check all of it
 * (source-load.c).  TRUE: the guest may run. */
gboolean stasis_source_load (const StasisSourceLoad *self, StasisMonitor *monitor, StasisJob *job,
                             GError **error);

G_END_DECLS
