/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook.h: an operation on a domain is told to the programs of the administrator
 */

#pragma once

#include "driver/status.h"

G_BEGIN_DECLS

/* The words that a hook gets; docs/hooks.md says when. */
typedef struct
{
  const char *operation;
  const char *sub;   /* "begin", "end" */
  const char *extra; /* (nullable) "-" */
} StasisHookPoint;

typedef struct
{
  const char *folder; /* of the hooks */
  guint timeout_s;    /* for each of them */
  const char *name;   /* of the domain */
  StasisHookPoint point;
  const char *run_folder; /* (nullable) the domain's, for the marks */
  gboolean is_once;       /* one that has been called already is not called again */
} StasisHookCall;

/* Call all hooks that there are, one after the other; where one fails the others are called all the
 * same, as in libvirt, but not where @cancellable is cancelled.
 * @input: (borrowed) the definition, a file; read from its beginning by each
 * @out_xml: (optional) (out) (nullable) (transfer full): what the last of them that wrote anything
 * has made of it; each gets what the one before it wrote */
gboolean stasis_hook_call (const StasisHookCall *call, int input, char **out_xml,
                           GCancellable *cancellable, GError **error);

/* Whatever is wrong with hooks is STASIS_ERROR_HOOK to those outside, unless it was cancelled.
 * Returns FALSE. */
gboolean stasis_hook_throw (GError *cause_take, GError **error);

/* A descriptor for @xml, as an input; -1 on failure. */
int stasis_hook_input (const char *xml, GError **error);

/* Those at a run's end, by whoever ends it under the domain's lock.  A failure is a warning, for
 * nobody can be refused any more.  Each is called once, however often this is.  They are called if
 * `prepare` was, or the matching `begin`, and otherwise not. */
void stasis_hook_end_save (const StasisStatus *status, const char *folder, const char *result);
void stasis_hook_stopped (const StasisStatus *status, const char *folder);
void stasis_hook_release (const StasisStatus *status, const char *folder, const char *reason);

/* For how long those may take at the most, in ms. */
int stasis_hook_end_bound_ms (const StasisStatus *status);

G_END_DECLS
