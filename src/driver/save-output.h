/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-output.h: writing save images of all kinds around the body that QEMU writes
 */

#pragma once

#include "driver/save-engine.h"
#include "driver/save-form.h"
#include "driver/save-place.h"
#include "image/writer.h"

G_BEGIN_DECLS

typedef struct _StasisSaveOutput StasisSaveOutput;

/* What is known before the body; all borrowed for the call. */
typedef struct
{
  const guint8 *domain_uuid;
  const char *xml;
  const StasisJson *qemu_facts;
  const StasisJson *parent; /* (nullable) image/parent.h; of our own seekable kind */
  StasisSaveWay way;        /* in which QEMU is to write */
  gboolean resume_running;
} StasisSaveHead;

/* An image of @form in @place (borrowed: outlives it), which is begun. */
StasisSaveOutput *stasis_save_output_new (const StasisSaveForm *form, StasisSavePlace *place);

/* How QEMU has to write the body. */
StasisSaveWay stasis_save_output_way (const StasisSaveOutput *output);

/* Octets at the end without which nobody takes such an image for complete. */
gsize stasis_save_output_keep (const StasisSaveForm *form);

/* Write what stands before the body. */
gboolean stasis_save_output_begin (StasisSaveOutput *output, const StasisSaveHead *head,
                                   StasisJob *job, GError **error);

/* The same once more, of a body that QEMU, or we, write into the file in place. */
gboolean stasis_save_output_renew (StasisSaveOutput *output, const StasisSaveHead *head,
                                   GError **error);

/* Where the body goes. */
StasisSaveBody stasis_save_output_body (StasisSaveOutput *output);

/* The guest ran while QEMU wrote the body: pages that became zero may have data in the file. */
void stasis_save_output_expect_stale (StasisSaveOutput *output);

/* QEMU wrote the body as a background snapshot, which is not complete. */
void stasis_save_output_expect_snapshot (StasisSaveOutput *output);

/* The body is there: write what stands behind it; a file is on disk then.  @disks, @notes
 * (nullable): used by the kinds that have them. */
gboolean stasis_save_output_finish (StasisSaveOutput *output, const StasisJson *disks,
                                    const StasisBodyNotes *notes, StasisJob *job, GError **error);

/* NULL is fine. */
void stasis_save_output_free (StasisSaveOutput *output);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSaveOutput, stasis_save_output_free)

G_END_DECLS
