/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-door-test.c: tests of src/driver/migrate-door.c
 */

#include "config.h"

#include "driver/migrate-door.h"

#include <string.h>
#include <sys/socket.h>

#include <stasis/error.h>

#include "driver/migrate-channel.h"
#include "scratch.h"
#include "util/fd.h"

#define WAIT_MS 60000
#define TOKEN   "00112233445566778899aabbccddeeff"

typedef struct
{
  char *root;
  char *folder; /* of verdicts */
  StasisMigrateListener *listener;
  char *address;
  gboolean is_prepared;
  GCancellable *end;
  GThread *thread;
} Fixture;

static gboolean
answer (const char *token, StasisDoorQuestion question, gpointer data, StasisDoorAnswer *out_answer,
        GError **error)
{
  Fixture *f = data;
  return stasis_migrate_door_judge (f->folder, token, question, f->is_prepared,
                                    f->is_prepared ? "web" : NULL, NULL, out_answer, error);
}

static gpointer
serve (gpointer data)
{
  Fixture *f = data;
  StasisChannelPurpose purpose = STASIS_CHANNEL_DATA;
  char token[33];
  int fd;
  while ((fd = stasis_migrate_listener_accept (f->listener, -1, &purpose, token, f->end, NULL))
         >= 0)
    {
      stasis_autofd int connection = fd;
      g_autoptr (GError) error = NULL;
      if (!stasis_migrate_door_serve (connection, token, answer, f, WAIT_MS, f->end, &error))
        g_test_message ("door: %s", error->message);
    }
  return NULL;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  const StasisMigrateAddress any = { NULL, (char *) "127.0.0.1", 0 };
  f->root = scratch_new ();
  g_autoptr (StasisPaths) paths = scratch_paths (f->root);
  f->folder = stasis_migrate_verdicts (paths);
  f->listener = stasis_migrate_listen (&any, NULL, &error);
  g_assert_no_error (error);
  f->address = stasis_migrate_address_to_string (stasis_migrate_listener_get_address (f->listener));
  f->end = g_cancellable_new ();
  f->thread = g_thread_new ("door", serve, f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_cancellable_cancel (f->end);
  g_thread_join (f->thread);
  g_object_unref (f->end);
  stasis_migrate_listener_free (f->listener);
  g_free (f->address);
  g_free (f->folder);
  scratch_remove (f->root);
}

static StasisDoorAnswer
ask (const Fixture *f, StasisDoorQuestion question)
{
  g_autoptr (GError) error = NULL;
  StasisDoorAnswer said = STASIS_DOOR_N_ANSWERS;
  g_assert_true (
      stasis_migrate_door_ask (f->address, TOKEN, question, WAIT_MS, NULL, &said, &error));
  g_assert_no_error (error);
  return said;
}

/* A Prepare that comes after that is refused. */
static void
test_never_heard_of (Fixture *f, gconstpointer data)
{
  StasisVerdict holds = STASIS_VERDICT_OPEN;
  g_assert_cmpint (ask (f, STASIS_DOOR_STATUS), ==, STASIS_DOOR_UNKNOWN);
  g_assert_cmpint (ask (f, STASIS_DOOR_REVOKE), ==, STASIS_DOOR_REVOKED);
  g_assert_cmpint (ask (f, STASIS_DOOR_STATUS), ==, STASIS_DOOR_REVOKED);
  g_assert_true (stasis_migrate_verdict_decide (f->folder, TOKEN, STASIS_VERDICT_BEGUN, "web", NULL,
                                                &holds, NULL));
  g_assert_cmpint (holds, ==, STASIS_VERDICT_REVOKED);
}

static void
test_revoked (Fixture *f, gconstpointer data)
{
  f->is_prepared = TRUE;
  g_assert_cmpint (ask (f, STASIS_DOOR_STATUS), ==, STASIS_DOOR_WAITING);
  g_assert_cmpint (ask (f, STASIS_DOOR_STATUS), ==, STASIS_DOOR_WAITING);
  g_assert_cmpint (ask (f, STASIS_DOOR_REVOKE), ==, STASIS_DOOR_REVOKED);
}

static void
test_begun (Fixture *f, gconstpointer data)
{
  StasisVerdict holds = STASIS_VERDICT_OPEN;
  f->is_prepared = TRUE;
  g_assert_true (stasis_migrate_verdict_decide (f->folder, TOKEN, STASIS_VERDICT_BEGUN, "web", NULL,
                                                &holds, NULL));
  g_assert_cmpint (ask (f, STASIS_DOOR_REVOKE), ==, STASIS_DOOR_BEGUN);
  g_assert_cmpint (ask (f, STASIS_DOOR_STATUS), ==, STASIS_DOOR_BEGUN);
}

/* What cannot be kept is not said. */
static void
test_no_verdict (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  StasisDoorAnswer said = STASIS_DOOR_N_ANSWERS;
  g_assert_true (stasis_paths_make (f->folder, NULL));
  g_free (scratch_text (f->folder, TOKEN, "damaged"));
  g_assert_false (stasis_migrate_door_ask (f->address, TOKEN, STASIS_DOOR_REVOKE, WAIT_MS, NULL,
                                           &said, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  g_assert_nonnull (strstr (error->message, f->address));
  g_assert_cmpint (said, ==, STASIS_DOOR_N_ANSWERS);
}

/* Somebody else who listens there says something. */
static void
test_words (void)
{
  static const char *const bad[] = { "Begun  \n", "begun\n\n\n", "begun   ", "\0\0\0\0\0\0\0\0" };
  StasisDoorAnswer said = STASIS_DOOR_N_ANSWERS;
  StasisDoorQuestion question = STASIS_DOOR_N_QUESTIONS;
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_assert_false (stasis_door_answer_read (bad[i], &said));
      g_assert_false (stasis_door_question_read (bad[i], &question));
    }
  g_assert_true (stasis_door_answer_read ("begun  \n", &said));
  g_assert_cmpint (said, ==, STASIS_DOOR_BEGUN);
  g_assert_true (stasis_door_question_read ("revoke \n", &question));
  g_assert_cmpint (question, ==, STASIS_DOOR_REVOKE);
  g_assert_cmpstr (stasis_door_answer_to_string (STASIS_DOOR_WAITING), ==, "waiting");
}

static gboolean
never (const char *token, StasisDoorQuestion question, gpointer data, StasisDoorAnswer *out_answer,
       GError **error)
{
  g_assert_not_reached ();
}

static void
test_bad_question (void)
{
  int ends[2];
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  stasis_autofd int here = ends[0];
  stasis_autofd int there = ends[1];
  g_assert_cmpint (send (there, "destroy\n", 8, 0), ==, 8);
  g_assert_false (stasis_migrate_door_serve (here, TOKEN, never, NULL, WAIT_MS, NULL, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_FAILED);
  g_clear_error (&error);
  g_assert_cmpint (send (there, "stat", 4, 0), ==, 4);
  g_assert_false (stasis_migrate_door_serve (here, TOKEN, never, NULL, 50, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
}

#define ADD(name, func) g_test_add (name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/driver/migrate-door/never-heard-of", test_never_heard_of);
  ADD ("/driver/migrate-door/revoked", test_revoked);
  ADD ("/driver/migrate-door/begun", test_begun);
  ADD ("/driver/migrate-door/no-verdict", test_no_verdict);
  g_test_add_func ("/driver/migrate-door/words", test_words);
  g_test_add_func ("/driver/migrate-door/bad-question", test_bad_question);
  return g_test_run ();
}
