/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote-error-test.c: tests of src/remote/remote-error.c
 */

#include "config.h"

#include "remote/remote-error.h"

#include <string.h>

#include <gio/gio.h>
#include <stasis/error.h>

#include "remote/wire.h"

#define LAYOUT "iiziOzzziiu" /* of the whole payload; no network follows */

typedef struct
{
  const char *name;
  GQuark (*from) (void);
  int code;
  gint32 wire;
  GQuark (*to) (void);
  int back;
} Case;

#define OURS   stasis_error_quark
#define REMOTE stasis_remote_error_quark
#define IO     g_io_error_quark

/* libvirt has fewer codes than we have; our own ends tell each other which it was. */
static const Case cases[] = {
  { "failed", OURS, STASIS_ERROR_FAILED, 9, OURS, STASIS_ERROR_FAILED },
  { "no-domain", OURS, STASIS_ERROR_NO_DOMAIN, 42, OURS, STASIS_ERROR_NO_DOMAIN },
  { "exists", OURS, STASIS_ERROR_EXISTS, 9, OURS, STASIS_ERROR_EXISTS },
  { "busy", OURS, STASIS_ERROR_BUSY, 68, OURS, STASIS_ERROR_BUSY },
  { "state", OURS, STASIS_ERROR_INVALID_STATE, 55, OURS, STASIS_ERROR_INVALID_STATE },
  { "argument", OURS, STASIS_ERROR_INVALID_ARGUMENT, 8, OURS, STASIS_ERROR_INVALID_ARGUMENT },
  { "unsupported", OURS, STASIS_ERROR_UNSUPPORTED, 67, OURS, STASIS_ERROR_UNSUPPORTED },
  { "refused", OURS, STASIS_ERROR_REFUSED, 9, OURS, STASIS_ERROR_REFUSED },
  { "xml", OURS, STASIS_ERROR_XML, 27, OURS, STASIS_ERROR_XML },
  { "image", OURS, STASIS_ERROR_IMAGE, 9, OURS, STASIS_ERROR_IMAGE },
  { "qemu", OURS, STASIS_ERROR_QEMU, 1, OURS, STASIS_ERROR_QEMU },
  { "hook", OURS, STASIS_ERROR_HOOK, 70, OURS, STASIS_ERROR_HOOK },
  { "no-device", OURS, STASIS_ERROR_NO_DEVICE, 99, OURS, STASIS_ERROR_NO_DEVICE },
  { "protocol", REMOTE, STASIS_REMOTE_ERROR_PROTOCOL, 39, REMOTE, STASIS_REMOTE_ERROR_PROTOCOL },
  { "denied", REMOTE, STASIS_REMOTE_ERROR_DENIED, 29, REMOTE, STASIS_REMOTE_ERROR_DENIED },
  { "closed", REMOTE, STASIS_REMOTE_ERROR_CLOSED, 38, REMOTE, STASIS_REMOTE_ERROR_CLOSED },
  { "no-metadata", REMOTE, STASIS_REMOTE_ERROR_NO_METADATA, 80, REMOTE,
    STASIS_REMOTE_ERROR_NO_METADATA },
  { "argument-unsupported", REMOTE, STASIS_REMOTE_ERROR_ARGUMENT, 74, REMOTE,
    STASIS_REMOTE_ERROR_ARGUMENT },
  { "finished", REMOTE, STASIS_REMOTE_ERROR_FINISHED, 93, REMOTE, STASIS_REMOTE_ERROR_FINISHED },
  { "cancelled", IO, G_IO_ERROR_CANCELLED, 78, IO, G_IO_ERROR_CANCELLED },
  { "timed-out", IO, G_IO_ERROR_TIMED_OUT, 68, IO, G_IO_ERROR_TIMED_OUT },
  { "no-space", IO, G_IO_ERROR_NO_SPACE, 38, IO, G_IO_ERROR_NO_SPACE },
  { "permission", IO, G_IO_ERROR_PERMISSION_DENIED, 38, IO, G_IO_ERROR_PERMISSION_DENIED },
  { "other", g_file_error_quark, G_FILE_ERROR_PERM, 9, OURS, STASIS_ERROR_FAILED },
};

/* What a client of libvirt's reads. */
static void
check_payload (const GByteArray *octets, const Case *c)
{
  StasisWireValue values[STASIS_WIRE_MEMBERS_MAX];
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, octets->data, octets->len);
  g_assert_true (stasis_wire_decode (&in, LAYOUT, values));
  g_assert_cmpuint (stasis_xdr_left (&in), ==, 0);
  g_assert_cmpint (values[0].i, ==, c->wire);
  g_assert_cmpint (values[1].i, ==, c->from == REMOTE ? 7 : 10);
  g_assert_cmpstr (values[2].s, ==, "what went wrong");
  g_assert_cmpint (values[3].i, ==, 2);
  g_assert_null (values[4].domain);
  g_assert_cmpstr (values[5].s, ==, "%s");
  g_assert_cmpstr (values[6].s, ==, "what went wrong");
  /* libvirt's clients have no use for these two. */
  const gboolean is_known = c->from == OURS || c->from == REMOTE || c->from == IO;
  const char *kind = c->from == OURS ? "stasis" : c->from == REMOTE ? "stasis-remote" : "io";
  g_assert_cmpstr (values[7].s, ==, is_known ? kind : NULL);
  g_assert_cmpint (values[8].i, ==, is_known ? c->code : -1);
  g_assert_cmpint (values[9].i, ==, -1);
  g_assert_cmpuint (values[10].u, ==, 0);
  stasis_wire_clear (LAYOUT, values);
}

static void
test_round_trip (gconstpointer data)
{
  const Case *c = data;
  const GError error = { c->from (), c->code, (char *) "what went wrong" };
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  stasis_remote_error_put (octets, &error);
  check_payload (octets, c);
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, octets->data, octets->len);
  g_autoptr (GError) back = stasis_remote_error_get (&in);
  g_assert_error (back, c->to (), c->back);
  g_assert_cmpstr (back->message, ==, "what went wrong");
}

static void
test_all_codes (void)
{
  g_assert_cmpstr (g_quark_to_string (STASIS_REMOTE_ERROR), ==, "stasis_remote_error_quark");
  for (int code = STASIS_ERROR_FAILED; code <= STASIS_ERROR_NO_DEVICE; code++)
    {
      gboolean is_there = FALSE;
      for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
        is_there |= cases[i].from == OURS && cases[i].code == code;
      g_assert_true (is_there);
    }
}

/* As others than we send them. */
static const struct
{
  gint32 code;
  gint32 domain;
  const char *message;
  GQuark (*to) (void);
  int back;
} foreign[] = {
  { 39, 7, "unknown procedure: 449", REMOTE, STASIS_REMOTE_ERROR_UNKNOWN },
  { 39, 7, "Cannot find program 5 version 1", REMOTE, STASIS_REMOTE_ERROR_PROTOCOL },
  { 3, 13, "this function is not supported", REMOTE, STASIS_REMOTE_ERROR_UNKNOWN },
  { 29, 20, "operation forbidden", REMOTE, STASIS_REMOTE_ERROR_DENIED },
  { 38, 0, "cannot open file", IO, G_IO_ERROR_FAILED },
  { 80, 20, "metadata not found", REMOTE, STASIS_REMOTE_ERROR_NO_METADATA },
  { 84, 10, "operation unsupported", OURS, STASIS_ERROR_UNSUPPORTED },
  { 74, 10, "argument unsupported", OURS, STASIS_ERROR_UNSUPPORTED },
  { 28, 20, "domain exists", OURS, STASIS_ERROR_EXISTS },
  { 78, 10, "operation aborted", IO, G_IO_ERROR_CANCELLED },
  { 12345, 10, "new", OURS, STASIS_ERROR_FAILED },
  { -1, -1, "", OURS, STASIS_ERROR_FAILED },
  { 42, 20, NULL, OURS, STASIS_ERROR_NO_DOMAIN },
};

static void
test_foreign (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (foreign); i++)
    {
      g_autoptr (GByteArray) octets = g_byte_array_new ();
      stasis_xdr_put_i32 (octets, foreign[i].code);
      stasis_xdr_put_i32 (octets, foreign[i].domain);
      stasis_xdr_put_optional_string (octets, foreign[i].message);
      StasisXdrReader in;
      stasis_xdr_reader_init (&in, octets->data, octets->len);
      g_autoptr (GError) error = stasis_remote_error_get (&in);
      g_assert_error (error, foreign[i].to (), foreign[i].back);
      g_assert_cmpstr (error->message, ==, foreign[i].message != NULL ? foreign[i].message : "");
    }
}

static void
test_unreadable (void)
{
  const GError error = { OURS (), STASIS_ERROR_XML, (char *) "what went wrong" };
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  stasis_remote_error_put (octets, &error);
  const gsize needed = 4 + 4 + 4 + 4 + 16;
  for (gsize length = 0; length < needed; length++)
    {
      StasisXdrReader in;
      stasis_xdr_reader_init (&in, octets->data, length);
      g_autoptr (GError) back = stasis_remote_error_get (&in);
      g_assert_error (back, STASIS_REMOTE_ERROR, STASIS_REMOTE_ERROR_PROTOCOL);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/remote/remote-error/round-trip/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_round_trip);
    }
  g_test_add_func ("/remote/remote-error/all-codes", test_all_codes);
  g_test_add_func ("/remote/remote-error/foreign", test_foreign);
  g_test_add_func ("/remote/remote-error/unreadable", test_unreadable);
  return g_test_run ();
}
