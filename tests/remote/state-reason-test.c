/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state-reason-test.c: tests of src/remote/state-reason.c
 */

#include "config.h"

#include "remote/state-reason.h"

static const struct
{
  StasisDomainState state;
  const char *reason;
  gint32 number;
} cases[] = {
  { STASIS_DOMAIN_RUNNING, "booted", 1 },
  { STASIS_DOMAIN_RUNNING, "restored", 3 },
  { STASIS_DOMAIN_RUNNING, "unpaused", 5 },
  { STASIS_DOMAIN_RUNNING, "save canceled", 7 },
  { STASIS_DOMAIN_RUNNING, "post-copy", 10 },
  { STASIS_DOMAIN_RUNNING, "post-copy failed", 11 },
  { STASIS_DOMAIN_PAUSED, "user", 1 },
  { STASIS_DOMAIN_PAUSED, "saving", 3 },
  { STASIS_DOMAIN_PAUSED, "save undecided", 3 },
  { STASIS_DOMAIN_PAUSED, "migration undecided", 2 },
  { STASIS_DOMAIN_PAUSED, "migration", 2 },
  { STASIS_DOMAIN_PAUSED, "I/O error", 5 },
  { STASIS_DOMAIN_PAUSED, "starting up", 11 },
  { STASIS_DOMAIN_SHUTOFF, "destroyed", 2 },
  { STASIS_DOMAIN_SHUTOFF, "saved", 5 },
  { STASIS_DOMAIN_SHUTOFF, "failed", 6 },
  { STASIS_DOMAIN_CRASHED, "panicked", 1 },
  { STASIS_DOMAIN_RUNNING, "destroyed", 0 },
  { STASIS_DOMAIN_RUNNING, "a word of tomorrow", 0 },
  { STASIS_DOMAIN_RUNNING, NULL, 0 },
  { STASIS_DOMAIN_NOSTATE, "booted", 0 },
};

static void
test_number (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (stasis_state_reason_number (cases[i].state, cases[i].reason), ==,
                     cases[i].number);
}

/* There and back: no word stands for two numbers. */
static void
test_word (void)
{
  for (guint state = STASIS_DOMAIN_NOSTATE; state <= STASIS_DOMAIN_CRASHED; state++)
    for (gint32 number = 0; number < 20; number++)
      {
        const char *word = stasis_state_reason_word (state, number);
        if (word != NULL)
          g_assert_cmpint (stasis_state_reason_number (state, word), ==, number);
      }
  g_assert_cmpstr (stasis_state_reason_word (STASIS_DOMAIN_PAUSED, 13), ==, "post-copy failed");
  g_assert_null (stasis_state_reason_word (STASIS_DOMAIN_PAUSED, 14));
  g_assert_null (stasis_state_reason_word (STASIS_DOMAIN_PAUSED, -1));
  g_assert_null (stasis_state_reason_word (STASIS_DOMAIN_RUNNING, G_MAXINT32));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/state-reason/number", test_number);
  g_test_add_func ("/remote/state-reason/word", test_word);
  return g_test_run ();
}
