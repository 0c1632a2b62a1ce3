/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-switch-test.c: tests of src/driver/migrate-switch.c with a monitor that says anything
 */

#include "config.h"

#include "driver/migrate-switch.h"

#include <string.h>

#include "monitor/peer.h"

typedef struct
{
  const char *name;
  const char *state;    /* of the guest */
  const char *commands; /* that QEMU is to get, one behind the other */
  const char *answer;   /* (nullable) to the switch; NULL: it ends instead */
  gboolean is_switched;
} Case;

#define DONE    "\"return\": {}"
#define REFUSED "\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}"

static const Case cases[] = {
  { "runs", "running", "query-status stop migrate-start-postcopy ", DONE, TRUE },
  { "stands", "paused", "query-status migrate-start-postcopy ", DONE, TRUE },
  { "refused", "running", "query-status stop migrate-start-postcopy cont ", REFUSED, FALSE },
  { "refused-stands", "paused", "query-status migrate-start-postcopy ", REFUSED, FALSE },
  /* It may have switched, and the guest run elsewhere. */
  { "lost", "running", "query-status stop migrate-start-postcopy ", NULL, FALSE },
};

static void
answer (int socket, gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GString) got = g_string_new (NULL);
  peer_negotiate (socket);
  for (;;)
    {
      g_autofree char *line = peer_read_line (socket);
      g_autoptr (StasisJson) command = line != NULL ? stasis_json_parse (line, -1, NULL) : NULL;
      const char *name = stasis_json_string (stasis_json_get (command, "execute"), NULL);
      if (name == NULL)
        break;
      g_string_append_printf (got, "%s ", name);
      const gboolean is_switch = g_str_equal (name, "migrate-start-postcopy");
      if (is_switch && test->answer == NULL)
        break;
      g_autofree char *status
          = g_strdup_printf ("\"return\": {\"running\": %s, \"status\": \"%s\"}",
                             g_str_equal (test->state, "running") ? "true" : "false", test->state);
      const char *said = is_switch                            ? test->answer
                         : g_str_equal (name, "query-status") ? status
                                                              : DONE;
      g_autofree char *id = stasis_json_to_string (stasis_json_get (command, "id"));
      g_autofree char *reply = g_strdup_printf ("{%s, \"id\": %s}\r\n", said, id);
      peer_say (socket, reply);
    }
  g_assert_cmpstr (got->str, ==, test->commands);
}

static void
test_case (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GError) error = NULL;
  Peer *peer = peer_start (answer, test);
  StasisMonitor *monitor = peer_open (peer, NULL);
  g_assert_cmpint (stasis_migrate_switch (monitor, NULL, &error), ==, test->is_switched);
  g_assert_cmpint (error == NULL, ==, test->is_switched);
  stasis_monitor_close (monitor);
  peer_end (peer);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/driver/migrate-switch/", cases[i].name, NULL);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  return g_test_run ();
}
