/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-check.h: what the verification of a running guest's memory image has found
 */

#pragma once

#include "driver/status.h"

G_BEGIN_DECLS

#define STASIS_MEMORY_CHECK_LOOK_US (G_USEC_PER_SEC / 20) /* between two looks of who waits */

typedef enum
{
  STASIS_MEMORY_FINDING_NONE_YET, /* or has not begun yet */
  STASIS_MEMORY_FINDING_GOOD,
  STASIS_MEMORY_FINDING_DAMAGED, /* the guest was paused */
  STASIS_MEMORY_FINDING_UNKNOWN, /* nobody could look */
} StasisMemoryFinding;

/* The supervisor keeps it in the run folder for everybody; @message (nullable) is for people. */
gboolean stasis_memory_check_write (const char *folder, StasisMemoryFinding result,
                                    const char *message, GError **error);
/* @out_message: (out) (optional) (nullable) (transfer full). */
StasisMemoryFinding stasis_memory_check_read (const char *folder, char **out_message);

/* TRUE where the image is verified beside the guest. */
gboolean stasis_memory_check_is_wanted (const StasisStatus *status);

/* TRUE as long as that goes on, or is yet to begin. */
gboolean stasis_memory_check_goes_on (const StasisStatus *status, const char *folder);

/* Before the memory of that guest goes anywhere else: wait for the end of the check, where there is
 * one.  FALSE where it was cancelled. */
gboolean stasis_memory_check_wait (const StasisStatus *status, const char *folder,
                                   GCancellable *cancellable, StasisMemoryFinding *out_finding,
                                   char **out_message, GError **error);

/* The image as QEMU has it open, whatever has become of its path: a new descriptor for reading, or
 * -1. */
int stasis_memory_check_open_image (const StasisStatus *status, GError **error);

G_END_DECLS
