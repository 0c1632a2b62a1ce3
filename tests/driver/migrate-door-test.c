/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-door-test.c: tests of src/driver/migrate-door.c
 */

#include "config.h"

#include "driver/migrate-door.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stasis/error.h>

#include "driver/migrate-channel.h"
#include "scratch.h"
#include "util/fd.h"

#define WAIT_MS 60000
#define TOKEN   "00112233445566778899aabbccddeeff"
#define SECRET  TOKEN TOKEN
#define OTHER   "ffeeddccbbaa99887766554433221100" TOKEN

typedef struct
{
  char *root;
  char *folder; /* of verdicts */
  StasisMigrateListener *listener;
  char *address;
  const char *secret; /* (nullable) of who answers */
  GCancellable *end;
  GThread *thread;
} Fixture;

static gboolean
answer (const char *token, StasisDoorQuestion question, gpointer data, StasisDoorAnswer *out_answer,
        GError **error)
{
  Fixture *f = data;
  return stasis_migrate_door_judge (f->folder, token, question, "web", NULL, out_answer, error);
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
      if (!stasis_migrate_door_serve (connection, token, f->secret, answer, f, WAIT_MS, f->end,
                                      &error))
        g_test_message ("door: %s", error->message);
    }
  return NULL;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  const StasisMigrateAddress any = { .host = (char *) "127.0.0.1" };
  f->root = scratch_new ();
  f->secret = SECRET;
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
ask_with (const Fixture *f, const char *secret, StasisDoorQuestion question)
{
  g_autoptr (GError) error = NULL;
  StasisDoorAnswer said = STASIS_DOOR_N_ANSWERS;
  g_assert_true (
      stasis_migrate_door_ask (f->address, TOKEN, secret, question, WAIT_MS, NULL, &said, &error));
  g_assert_no_error (error);
  return said;
}

static StasisDoorAnswer
ask (const Fixture *f, StasisDoorQuestion question)
{
  return ask_with (f, SECRET, question);
}

static StasisVerdict
verdict_of (const Fixture *f)
{
  StasisVerdict holds = STASIS_VERDICT_BEGUN;
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_migrate_verdict_get (f->folder, TOKEN, &holds, &error));
  g_assert_no_error (error);
  return holds;
}

/* Who has not prepared it decides nothing, and nobody without the secret has it decided. */
static void
test_never_heard_of (Fixture *f, gconstpointer data)
{
  f->secret = NULL;
  g_assert_cmpint (ask (f, STASIS_DOOR_STATUS), ==, STASIS_DOOR_UNKNOWN);
  g_assert_cmpint (ask (f, STASIS_DOOR_REVOKE), ==, STASIS_DOOR_UNKNOWN);
  g_assert_cmpint (verdict_of (f), ==, STASIS_VERDICT_OPEN);
  f->secret = SECRET;
  g_assert_cmpint (ask_with (f, OTHER, STASIS_DOOR_REVOKE), ==, STASIS_DOOR_UNKNOWN);
  g_assert_cmpint (ask_with (f, OTHER, STASIS_DOOR_STATUS), ==, STASIS_DOOR_UNKNOWN);
  g_assert_cmpint (verdict_of (f), ==, STASIS_VERDICT_OPEN);
}

/* Somebody listens in its place, and says what he likes. */
typedef struct
{
  int fd;
  const char *secret; /* (nullable): that he proves it with; NULL: by a proof of another answer */
} Stranger;

static gpointer
answer_wrongly (gpointer data)
{
  const Stranger *stranger = data;
  char question[STASIS_DOOR_QUESTION_SIZE];
  StasisDoorAsked asked;
  g_assert_true (stasis_channel_receive (stranger->fd, question, sizeof question,
                                         g_get_monotonic_time () + WAIT_MS * 1000, NULL, NULL));
  g_assert_true (stasis_door_question_read (question, &asked));
  const gboolean is_other = stranger->secret != NULL;
  const char *const words[]
      = { "answer", TOKEN, asked.nonce, "revoke", is_other ? "revoked" : "waiting", NULL };
  g_autofree char *proof
      = stasis_migrate_secret_prove (is_other ? stranger->secret : SECRET, words);
  g_autofree char *text = g_strdup_printf ("revoked %s\n", proof);
  g_assert_cmpuint (strlen (text), ==, STASIS_DOOR_ANSWER_SIZE);
  g_assert_true (stasis_channel_send (stranger->fd, text, strlen (text),
                                      g_get_monotonic_time () + WAIT_MS * 1000, NULL, NULL));
  return NULL;
}

static gpointer
let_in (gpointer data)
{
  StasisMigrateListener *listener = data;
  StasisChannelPurpose purpose = STASIS_CHANNEL_DATA;
  return GINT_TO_POINTER (
      stasis_migrate_listener_accept (listener, WAIT_MS, &purpose, NULL, NULL, NULL));
}

static gpointer
be_a_stranger (gpointer data)
{
  gpointer *both = data;
  Stranger stranger = { GPOINTER_TO_INT (let_in (both[0])), both[1] };
  answer_wrongly (&stranger);
  close (stranger.fd);
  return NULL;
}

static void
test_stranger (void)
{
  static const char *const secrets[] = { OTHER, NULL };
  for (guint i = 0; i < G_N_ELEMENTS (secrets); i++)
    {
      g_autoptr (GError) error = NULL;
      const StasisMigrateAddress any = { NULL, (char *) "127.0.0.1", 0 };
      g_autoptr (StasisMigrateListener) listener = stasis_migrate_listen (&any, NULL, &error);
      g_assert_no_error (error);
      g_autofree char *address
          = stasis_migrate_address_to_string (stasis_migrate_listener_get_address (listener));
      StasisDoorAnswer said = STASIS_DOOR_N_ANSWERS;
      gpointer both[] = { listener, (gpointer) secrets[i] };
      GThread *thread = g_thread_new ("stranger", be_a_stranger, both);
      g_assert_false (stasis_migrate_door_ask (address, TOKEN, SECRET, STASIS_DOOR_REVOKE, WAIT_MS,
                                               NULL, &said, &error));
      g_assert_error (error, STASIS_ERROR, STASIS_ERROR_FAILED);
      g_assert_nonnull (strstr (error->message, "not the destination"));
      g_assert_cmpint (said, ==, STASIS_DOOR_N_ANSWERS);
      g_thread_join (thread);
    }
}

/* A journal that lacks it has nobody to believe. */
static void
test_no_secret (void)
{
  g_autoptr (GError) error = NULL;
  StasisDoorAnswer said = STASIS_DOOR_N_ANSWERS;
  g_assert_false (stasis_migrate_door_ask ("unix:///x", TOKEN, NULL, STASIS_DOOR_REVOKE, WAIT_MS,
                                           NULL, &said, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_FAILED);
}

static void
test_revoked (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (ask (f, STASIS_DOOR_STATUS), ==, STASIS_DOOR_WAITING);
  g_assert_cmpint (ask (f, STASIS_DOOR_WHOLE), ==, STASIS_DOOR_WAITING);
  g_assert_cmpint (ask (f, STASIS_DOOR_STATUS), ==, STASIS_DOOR_WAITING);
  g_assert_cmpint (ask (f, STASIS_DOOR_REVOKE), ==, STASIS_DOOR_REVOKED);
}

static void
test_begun (Fixture *f, gconstpointer data)
{
  StasisVerdict holds = STASIS_VERDICT_OPEN;
  g_assert_true (stasis_migrate_verdict_decide (f->folder, TOKEN, STASIS_VERDICT_BEGUN, "web", NULL,
                                                &holds, NULL));
  g_assert_cmpint (ask (f, STASIS_DOOR_REVOKE), ==, STASIS_DOOR_BEGUN);
  g_assert_cmpint (ask (f, STASIS_DOOR_STATUS), ==, STASIS_DOOR_BEGUN);
  g_assert_cmpint (ask (f, STASIS_DOOR_WHOLE), ==, STASIS_DOOR_BEGUN);
}

/* Who asks no more has not heard that it has begun, or it has. */
static void
test_settled (Fixture *f, gconstpointer data)
{
  StasisVerdict holds = STASIS_VERDICT_OPEN;
  const gboolean has_begun = data != NULL;
  if (has_begun)
    g_assert_true (stasis_migrate_verdict_decide (f->folder, TOKEN, STASIS_VERDICT_BEGUN, "web",
                                                  NULL, &holds, NULL));
  g_assert_cmpint (ask_with (f, OTHER, STASIS_DOOR_SETTLED), ==, STASIS_DOOR_UNKNOWN);
  g_assert_cmpint (verdict_of (f), ==, has_begun ? STASIS_VERDICT_BEGUN : STASIS_VERDICT_OPEN);
  g_assert_cmpint (ask (f, STASIS_DOOR_SETTLED), ==,
                   has_begun ? STASIS_DOOR_BEGUN : STASIS_DOOR_REVOKED);
  g_assert_cmpint (verdict_of (f), ==, has_begun ? STASIS_VERDICT_BEGUN : STASIS_VERDICT_REVOKED);
}

/* What cannot be kept is not said. */
static void
test_no_verdict (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  StasisDoorAnswer said = STASIS_DOOR_N_ANSWERS;
  g_assert_true (stasis_paths_make (f->folder, NULL));
  g_free (scratch_text (f->folder, TOKEN, "damaged"));
  g_assert_false (stasis_migrate_door_ask (f->address, TOKEN, SECRET, STASIS_DOOR_REVOKE, WAIT_MS,
                                           NULL, &said, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  g_assert_nonnull (strstr (error->message, f->address));
  g_assert_cmpint (said, ==, STASIS_DOOR_N_ANSWERS);
}

#define PROOF SECRET "\n"
#define NONCE TOKEN

/* Somebody else who listens there says something. */
static void
test_words (void)
{
  static const char *const bad[] = {
    "Begun   " PROOF,
    "begun\n  " PROOF,
    "begun  x" PROOF,
    "begun   " SECRET " ",
    "begun   x" PROOF,
    "unknown " PROOF,
    "nothing " PROOF,
    "status  " NONCE "x" PROOF,
    "status  " NONCE "\n" PROOF,
    "destroy " NONCE " " PROOF,
    "status  " SECRET SECRET SECRET,
  };
  StasisDoorAnswer said = STASIS_DOOR_N_ANSWERS;
  StasisDoorAsked asked = { STASIS_DOOR_N_QUESTIONS, "", "" };
  char proof[STASIS_MIGRATE_PROOF_SIZE + 1];
  char octets[STASIS_DOOR_QUESTION_SIZE];
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      memset (octets, 0, sizeof octets);
      memcpy (octets, bad[i], MIN (strlen (bad[i]), sizeof octets));
      g_assert_false (stasis_door_answer_read (octets, &said, proof));
      g_assert_false (stasis_door_question_read (octets, &asked));
    }
  g_assert_true (stasis_door_answer_read ("begun   " PROOF, &said, proof));
  g_assert_cmpint (said, ==, STASIS_DOOR_BEGUN);
  g_assert_cmpstr (proof, ==, SECRET);
  g_assert_true (stasis_door_question_read ("revoke  " NONCE " " PROOF, &asked));
  g_assert_cmpint (asked.question, ==, STASIS_DOOR_REVOKE);
  g_assert_cmpstr (asked.nonce, ==, NONCE);
  g_assert_cmpstr (asked.proof, ==, SECRET);
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
  static const char question[] = "destroy " NONCE " " PROOF;
  g_assert_cmpint (send (there, question, STASIS_DOOR_QUESTION_SIZE, 0), ==,
                   STASIS_DOOR_QUESTION_SIZE);
  g_assert_false (
      stasis_migrate_door_serve (here, TOKEN, SECRET, never, NULL, WAIT_MS, NULL, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_FAILED);
  g_clear_error (&error);
  g_assert_cmpint (send (there, "stat", 4, 0), ==, 4);
  g_assert_false (stasis_migrate_door_serve (here, TOKEN, SECRET, never, NULL, 50, NULL, &error));
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
  ADD ("/driver/migrate-door/settled", test_settled);
  g_test_add ("/driver/migrate-door/settled-begun", Fixture, "begun", set_up, test_settled,
              tear_down);
  ADD ("/driver/migrate-door/no-verdict", test_no_verdict);
  g_test_add_func ("/driver/migrate-door/stranger", test_stranger);
  g_test_add_func ("/driver/migrate-door/no-secret", test_no_secret);
  g_test_add_func ("/driver/migrate-door/words", test_words);
  g_test_add_func ("/driver/migrate-door/bad-question", test_bad_question);
  return g_test_run ();
}
