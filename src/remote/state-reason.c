/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state-reason.c: why a domain is in its state, in libvirt's numbers
 */

#include "config.h"

#include "remote/state-reason.h"

/* By number.  The words are those that `domstate --reason` prints. */
static const char *const running[]
    = { "unknown",       "booted",   "migrated",           "restored",
        "from snapshot", "unpaused", "migration canceled", "save canceled",
        "wakeup",        "crashed",  "post-copy",          "post-copy failed" };
static const char *const paused[]
    = { "unknown",   "user",        "migrating",     "saving",          "dumping",
        "I/O error", "watchdog",    "from snapshot", "shutting down",   "creating snapshot",
        "crashed",   "starting up", "post-copy",     "post-copy failed" };
static const char *const shut_down[] = { "unknown", "user" };
static const char *const shut_off[]
    = { "unknown", "shutdown", "destroyed",     "crashed", "migrated",
        "saved",   "failed",   "from snapshot", "daemon" };
static const char *const crashed[] = { "unknown", "panicked" };

static const struct
{
  StasisDomainState state;
  const char *const *words;
  guint n_words;
} states[] = {
  { STASIS_DOMAIN_RUNNING, running, G_N_ELEMENTS (running) },
  { STASIS_DOMAIN_PAUSED, paused, G_N_ELEMENTS (paused) },
  { STASIS_DOMAIN_SHUTDOWN, shut_down, G_N_ELEMENTS (shut_down) },
  { STASIS_DOMAIN_SHUTOFF, shut_off, G_N_ELEMENTS (shut_off) },
  { STASIS_DOMAIN_CRASHED, crashed, G_N_ELEMENTS (crashed) },
};

/* Ours that libvirt calls otherwise, and what supervisors that were started earlier say. */
static const char *const other_words[][2] = {
  { "save undecided", "saving" }, { "migration undecided", "migrating" },
  { "save", "saving" },           { "dump", "dumping" },
  { "migration", "migrating" },   { "snapshot", "creating snapshot" },
};

/* The number. */
gint32
stasis_state_reason_number (StasisDomainState state, const char *reason)
{
  for (guint i = 0; i < G_N_ELEMENTS (other_words); i++)
    if (g_strcmp0 (reason, other_words[i][0]) == 0)
      reason = other_words[i][1];
  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    for (guint j = 0; states[i].state == state && j < states[i].n_words; j++)
      if (g_strcmp0 (states[i].words[j], reason) == 0)
        return (gint32) j;
  return 0;
}

/* The word. */
const char *
stasis_state_reason_word (StasisDomainState state, gint32 number)
{
  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    if (states[i].state == state && number >= 0 && (guint) number < states[i].n_words)
      return states[i].words[number];
  return NULL;
}
