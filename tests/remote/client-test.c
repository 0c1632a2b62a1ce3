/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-test.c: tests of src/remote/client*.c, against a server that answers as a test wants
 */

#include "config.h"

#include "remote/client.h"

#include <string.h>

#include "fake-server.h"
#include "remote/client-ops.h"
#include "util/fd.h"

static gboolean
say_host (int fd, const StasisMessageHeader *header, gpointer data)
{
  const StasisWireValue text[] = { { .s = (char *) "host" } };
  fake_server_reply (fd, header, "s", text);
  return TRUE;
}

static gboolean
ask_host (StasisClient *client, GError **error)
{
  StasisWireValue rets[1];
  if (!stasis_client_call (client, STASIS_PROGRAM_REMOTE, "connect-get-hostname", NULL, rets,
                           error))
    return FALSE;
  g_assert_cmpstr (rets[0].s, ==, "host");
  stasis_client_clear (STASIS_PROGRAM_REMOTE, "connect-get-hostname", rets);
  return TRUE;
}

static gpointer
ask_often (gpointer client)
{
  for (guint i = 0; i < 200; i++)
    g_assert_true (ask_host (client, NULL));
  return NULL;
}

static void
test_threads (void)
{
  FakeServer server;
  StasisClient *client = fake_server_begin (&server, say_host, NULL, 5);
  GThread *threads[8];
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("caller", ask_often, client);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  fake_server_end (&server, client);
}

static gboolean
leave (int fd, const StasisMessageHeader *header, gpointer data)
{
  return FALSE;
}

static gboolean
write_garbage (int fd, const StasisMessageHeader *header, gpointer data)
{
  const guint32 length = GUINT32_TO_BE (3);
  g_assert_true (stasis_fd_write_exact (fd, &length, sizeof length, NULL));
  return TRUE;
}

/* A packet that is cut: fewer members than the layout has, or more. */
static gboolean
write_less (int fd, const StasisMessageHeader *header, gpointer data)
{
  const StasisWireValue values[] = { { .u = 5000 } };
  fake_server_reply (fd, header, "u", values);
  return TRUE;
}

static gboolean
write_more (int fd, const StasisMessageHeader *header, gpointer data)
{
  const StasisWireValue values[] = { { .s = (char *) "host" }, { .u = 1 } };
  fake_server_reply (fd, header, "su", values);
  return TRUE;
}

static gboolean
say_nothing (int fd, const StasisMessageHeader *header, gpointer data)
{
  return TRUE;
}

static void
check_failure (FakeAnswer answer, guint keepalive_s, GQuark domain, int code, const char *why)
{
  FakeServer server;
  StasisClient *client = fake_server_begin (&server, answer, NULL, keepalive_s);
  g_autoptr (GError) error = NULL;
  g_assert_false (ask_host (client, &error));
  g_assert_error (error, domain, code);
  if (!g_pattern_match_simple (why, error->message))
    g_error ("%s", error->message);
  g_assert_nonnull (strstr (error->message, FAKE_SERVER_URI));
  fake_server_end (&server, client);
}

static void
test_gone (void)
{
  check_failure (leave, 5, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "*closed the connection*");
}

static void
test_garbage (void)
{
  check_failure (write_garbage, 5, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "*no packet*");
  check_failure (write_less, 5, STASIS_ERROR, STASIS_ERROR_FAILED, "*cannot be read*");
  check_failure (write_more, 5, STASIS_ERROR, STASIS_ERROR_FAILED, "*cannot be read*");
}

static void
test_silent (void)
{
  check_failure (say_nothing, 1, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "*no sign of life*");
}

/* In the middle of what changes something it is said that nobody knows how that ended. */
static void
test_gone_while_saving (void)
{
  FakeServer server;
  StasisClient *client = fake_server_begin (&server, leave, NULL, 5);
  StasisWireDomain domain = { .name = (char *) "vm", .id = 1 };
  const StasisWireValue args[] = { { .domain = &domain }, { .s = (char *) "/image" } };
  g_autoptr (GError) error = NULL;
  g_assert_false (
      stasis_client_call (client, STASIS_PROGRAM_REMOTE, "domain-save", args, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  g_assert_nonnull (strstr (error->message, "in the middle of 'domain-save', which may go on"));
  /* Whoever comes later is told at once. */
  g_assert_false (ask_host (client, NULL));
  fake_server_end (&server, client);
}

/* A job that tells of itself until it is cancelled; what else comes is passed over. */
typedef struct
{
  StasisMessageHeader call;
  guint n_told;
  GCancellable *cancellable;
} Job;

static void
tell_event (int fd, gint32 event, guint32 serial, const char *text)
{
  const StasisMessageHeader header = {
    .program = STASIS_PROGRAM_OWN,
    .version = STASIS_PROGRAM_VERSION,
    .procedure = event,
    .type = STASIS_MESSAGE_EVENT,
  };
  const StasisWireValue values[] = { { .u = serial }, { .s = (char *) text } };
  fake_server_send (fd, header, STASIS_OWN_EVENT_LAYOUT, values);
}

static void
tell (int fd, guint32 serial, const char *json)
{
  tell_event (fd, STASIS_OWN_JOB_PROGRESS, serial, json);
}

static gboolean
work (int fd, const StasisMessageHeader *header, gpointer data)
{
  Job *job = data;
  const StasisProcedure *procedure = stasis_procedure_find (header->program, header->procedure);
  if (g_str_equal (procedure->name, "image-flatten"))
    {
      job->call = *header;
      tell (fd, header->serial + 1000, "{\"state\":\"active\"}");
      tell (fd, header->serial, "this is no JSON");
      tell (fd, header->serial, "{\"state\":\"active\",\"bytes-total\":7}");
      return TRUE;
    }
  g_assert_cmpstr (procedure->name, ==, "cancel");
  fake_server_reply (fd, header, "", NULL);
  tell (fd, job->call.serial, "{\"state\":\"active\",\"bytes-total\":7,\"bytes-processed\":5}");
  StasisMessageHeader answer = job->call;
  answer.type = STASIS_MESSAGE_REPLY;
  answer.status = STASIS_MESSAGE_ERROR;
  const GError error = { G_IO_ERROR, G_IO_ERROR_CANCELLED, (char *) "it was cancelled" };
  g_autoptr (GByteArray) message = stasis_message_begin (&answer);
  stasis_remote_error_put (message, &error);
  stasis_message_end (message);
  g_assert_true (stasis_fd_write_exact (fd, message->data, message->len, NULL));
  return TRUE;
}

static void
on_progress (const StasisJobStats *stats, gpointer data)
{
  Job *job = data;
  g_assert_cmpuint (stats->bytes_total, ==, 7);
  g_assert_cmpuint (stats->bytes_processed, ==, job->n_told == 0 ? 0 : 5);
  job->n_told++;
  g_cancellable_cancel (job->cancellable);
}

static void
test_job (void)
{
  FakeServer server;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Job data = { .cancellable = cancellable };
  StasisClient *client = fake_server_begin (&server, work, &data, 5);
  const StasisClientJob job
      = { .progress = on_progress, .user_data = &data, .cancellable = cancellable };
  const StasisWireValue args[] = { { .s = (char *) "/a" }, { .s = (char *) "/b" } };
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_client_call_job (client, STASIS_PROGRAM_OWN, "image-flatten", args, NULL,
                                          &job, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpstr (error->message, ==, "it was cancelled");
  g_assert_cmpuint (data.n_told, ==, 2);
  fake_server_end (&server, client);
}

/* A warning, and then so much of how far it is that not all of it is kept. */
static gboolean
warn_and_tell_much (int fd, const StasisMessageHeader *header, gpointer data)
{
  tell (fd, header->serial, "{\"state\":\"active\",\"bytes-total\":1}");
  tell_event (fd, STASIS_OWN_WARNING, header->serial, "the first");
  tell_event (fd, STASIS_OWN_WARNING, header->serial, "the second");
  for (guint i = 0; i < 500; i++)
    tell (fd, header->serial, "{\"state\":\"active\",\"bytes-total\":2}");
  fake_server_reply (fd, header, "", NULL);
  return TRUE;
}

/* Nobody listens before all has come. */
static void
on_progress_late (const StasisJobStats *stats, gpointer data)
{
  guint *count = data;
  if ((*count)++ == 0)
    g_usleep (G_USEC_PER_SEC / 2);
}

static void
test_warnings_stay (void)
{
  FakeServer server;
  guint count = 0;
  StasisClient *client = fake_server_begin (&server, warn_and_tell_much, NULL, 5);
  const StasisClientJob job = { .progress = on_progress_late, .user_data = &count };
  const StasisWireValue args[] = { { .s = (char *) "/a" }, { .s = (char *) "/b" } };
  g_test_expect_message ("stasis-driver", G_LOG_LEVEL_WARNING, "the first");
  g_test_expect_message ("stasis-driver", G_LOG_LEVEL_WARNING, "the second");
  g_assert_true (
      stasis_client_call_job (client, STASIS_PROGRAM_OWN, "image-flatten", args, NULL, &job, NULL));
  g_test_assert_expected_messages ();
  g_assert_cmpuint (count, <, 500);
  fake_server_end (&server, client);
}

/* More than anybody wants to keep, all of one call, whose caller looks at none before its end. */
static gboolean
warn_at_length (int fd, const StasisMessageHeader *header, gpointer data)
{
  g_autofree char *text = g_strnfill (4 * 1024 * 1024 - 64, 'x');
  for (guint i = 0; i < 20; i++)
    tell_event (fd, STASIS_OWN_WARNING, header->serial, text);
  return say_host (fd, header, NULL);
}

static void
test_warnings_are_bounded (void)
{
  FakeServer server;
  StasisClient *client = fake_server_begin (&server, warn_at_length, NULL, 5);
  for (guint i = 0; i < 4; i++)
    g_test_expect_message ("stasis-driver", G_LOG_LEVEL_WARNING, "xxx*");
  g_assert_true (ask_host (client, NULL));
  g_test_assert_expected_messages ();
  fake_server_end (&server, client);
}

/* It is asked whether it lives, and is answered. */
static gboolean
ping_first (int fd, const StasisMessageHeader *header, gpointer data)
{
  gboolean *is_answered = data;
  if (header->program == STASIS_PROGRAM_KEEPALIVE)
    {
      *is_answered |= header->procedure == STASIS_KEEPALIVE_PONG;
      return TRUE;
    }
  const StasisMessageHeader ping = {
    .program = STASIS_PROGRAM_KEEPALIVE,
    .version = STASIS_PROGRAM_VERSION,
    .procedure = STASIS_KEEPALIVE_PING,
    .type = STASIS_MESSAGE_EVENT,
  };
  fake_server_send (fd, ping, "", NULL);
  return say_host (fd, header, NULL);
}

static void
test_ping (void)
{
  FakeServer server;
  gboolean is_answered = FALSE;
  StasisClient *client = fake_server_begin (&server, ping_first, &is_answered, 0);
  g_assert_true (ask_host (client, NULL));
  fake_server_end (&server, client);
  g_assert_true (is_answered);
}

/* None is missing: who calls it does not look. */
static void
test_operations (void)
{
  StasisDriverOps ops = { 0 };
  stasis_client_fill_agent (&ops);
  stasis_client_fill_device (&ops);
  stasis_client_fill_domain (&ops);
  stasis_client_fill_driver (&ops);
  stasis_client_fill_guests (&ops);
  stasis_client_fill_image (&ops);
  stasis_client_fill_handover (&ops);
  stasis_client_fill_migrate (&ops);
  stasis_client_fill_migrate_check (&ops);
  stasis_client_fill_migrate_limits (&ops);
  stasis_client_fill_save (&ops);
  void *slots[sizeof ops / sizeof (void *)];
  G_STATIC_ASSERT (sizeof slots == sizeof ops);
  memcpy (slots, &ops, sizeof slots);
  g_assert_null (slots[0]); /* close, of client-ops.c */
  for (gsize i = 1; i < G_N_ELEMENTS (slots); i++)
    if (slots[i] == NULL)
      g_error ("slot %" G_GSIZE_FORMAT " has nothing", i);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/client/threads", test_threads);
  g_test_add_func ("/remote/client/gone", test_gone);
  g_test_add_func ("/remote/client/gone-while-saving", test_gone_while_saving);
  g_test_add_func ("/remote/client/garbage", test_garbage);
  g_test_add_func ("/remote/client/silent", test_silent);
  g_test_add_func ("/remote/client/job", test_job);
  g_test_add_func ("/remote/client/warnings-stay", test_warnings_stay);
  g_test_add_func ("/remote/client/warnings-are-bounded", test_warnings_are_bounded);
  g_test_add_func ("/remote/client/ping", test_ping);
  g_test_add_func ("/remote/client/operations", test_operations);
  return g_test_run ();
}
