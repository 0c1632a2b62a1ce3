/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote-error.c: errors on libvirt's wire
 *
 * A client shows the message as it is; the code says how it reacts: falls back to an older
 * procedure, says that there is no such domain, gives up.
 */

#include "config.h"

#include "remote/remote-error.h"

#include <gio/gio.h>
#include <stasis/error.h>

#include "remote/wire.h"

#define LEVEL_ERROR 2
#define NO_NUMBER   (-1)
#define HEAD        "iiz"     /* of the payload */
#define REST        "iOzzzii" /* behind it; a network may follow, of which nobody wants to know */

/* Of libvirt's virErrorDomain. */
#define FROM_RPC  7
#define FROM_QEMU 10

typedef struct
{
  int ours;
  gint32 theirs;
} Pair;

/* Where several of theirs are one of ours, the first is sent. */
static const Pair library_codes[] = {
  { STASIS_ERROR_NO_DOMAIN, 42 },
  { STASIS_ERROR_EXISTS, 9 },
  { STASIS_ERROR_BUSY, 68 },
  { STASIS_ERROR_INVALID_STATE, 55 },
  { STASIS_ERROR_INVALID_ARGUMENT, 8 },
  { STASIS_ERROR_UNSUPPORTED, 67 },
  { STASIS_ERROR_REFUSED, 9 },
  { STASIS_ERROR_XML, 27 },
  { STASIS_ERROR_IMAGE, 9 },
  { STASIS_ERROR_QEMU, 1 },
  { STASIS_ERROR_HOOK, 70 },
  { STASIS_ERROR_FAILED, 9 },
  { STASIS_ERROR_NO_DEVICE, 99 },
  { STASIS_ERROR_UNSUPPORTED, 84 },
  { STASIS_ERROR_UNSUPPORTED, 74 },
  { STASIS_ERROR_EXISTS, 28 },
};

static const Pair remote_codes[] = {
  { STASIS_REMOTE_ERROR_PROTOCOL, STASIS_VIR_ERR_RPC },
  { STASIS_REMOTE_ERROR_UNKNOWN, STASIS_VIR_ERR_RPC },
  { STASIS_REMOTE_ERROR_UNKNOWN, STASIS_VIR_ERR_NO_SUPPORT },
  { STASIS_REMOTE_ERROR_DENIED, 29 },
  { STASIS_REMOTE_ERROR_CLOSED, 38 },
  { STASIS_REMOTE_ERROR_NO_METADATA, 80 },
  { STASIS_REMOTE_ERROR_NO_SUPPORT, STASIS_VIR_ERR_NO_SUPPORT },
  { STASIS_REMOTE_ERROR_ARGUMENT, 74 },
  { STASIS_REMOTE_ERROR_FINISHED, 93 },
};

static const Pair io_codes[] = {
  { G_IO_ERROR_CANCELLED, 78 },
  { G_IO_ERROR_TIMED_OUT, 68 },
  { G_IO_ERROR_FAILED, 38 }, /* and all others */
};

G_DEFINE_QUARK (stasis_remote_error_quark, stasis_remote_error)

static gint32
find_theirs (const Pair *pairs, gsize n_pairs, int ours, gint32 otherwise)
{
  for (gsize i = 0; i < n_pairs; i++)
    if (pairs[i].ours == ours)
      return pairs[i].theirs;
  return otherwise;
}

static const Pair *
find_ours (const Pair *pairs, gsize n_pairs, gint32 theirs)
{
  for (gsize i = 0; i < n_pairs; i++)
    if (pairs[i].theirs == theirs)
      return &pairs[i];
  return NULL;
}

static gint32
code_of (const GError *error)
{
  if (error->domain == STASIS_ERROR)
    return find_theirs (library_codes, G_N_ELEMENTS (library_codes), error->code, 9);
  if (error->domain == STASIS_REMOTE_ERROR)
    return find_theirs (remote_codes, G_N_ELEMENTS (remote_codes), error->code, STASIS_VIR_ERR_RPC);
  if (error->domain == G_IO_ERROR)
    return find_theirs (io_codes, G_N_ELEMENTS (io_codes), error->code, 38);
  return 9;
}

/* The domains that the other end knows, too, by the names that the wire has for them. */
static const struct
{
  const char *name;
  GQuark (*quark) (void);
} kinds[] = {
  { "stasis", stasis_error_quark },
  { "stasis-remote", stasis_remote_error_quark },
  { "io", g_io_error_quark },
};

static const char *
kind_of (GQuark domain)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (kinds[i].quark () == domain)
      return kinds[i].name;
  return NULL;
}

static GQuark
quark_of (const char *kind)
{
  for (guint i = 0; kind != NULL && i < G_N_ELEMENTS (kinds); i++)
    if (g_str_equal (kinds[i].name, kind))
      return kinds[i].quark ();
  return 0;
}

/* The payload of an error reply. */
void
stasis_remote_error_put (GByteArray *out, const GError *error)
{
  stasis_xdr_put_i32 (out, code_of (error));
  stasis_xdr_put_i32 (out, error->domain == STASIS_REMOTE_ERROR ? FROM_RPC : FROM_QEMU);
  stasis_xdr_put_optional_string (out, error->message);
  stasis_xdr_put_i32 (out, LEVEL_ERROR);
  stasis_xdr_put_u32 (out, 0); /* no domain */
  stasis_xdr_put_optional_string (out, "%s");
  stasis_xdr_put_optional_string (out, error->message);
  /* libvirt has fewer codes than we have, and no use for the third text and the first number. */
  const char *kind = kind_of (error->domain);
  stasis_xdr_put_optional_string (out, kind);
  stasis_xdr_put_i32 (out, kind != NULL ? error->code : NO_NUMBER);
  stasis_xdr_put_i32 (out, NO_NUMBER);
  stasis_xdr_put_u32 (out, 0); /* no network */
}

/* A system error has the code that stands for the end of a connection, and another domain. */
static GError *
make_error (gint32 code, gint32 domain, const char *message)
{
  const Pair *pair = find_ours (remote_codes, G_N_ELEMENTS (remote_codes), code);
  if (pair != NULL && pair->ours == STASIS_REMOTE_ERROR_CLOSED && domain != FROM_RPC)
    pair = NULL;
  if (pair != NULL && pair->ours == STASIS_REMOTE_ERROR_ARGUMENT)
    pair = NULL; /* the library has one for that */
  if (code == STASIS_VIR_ERR_RPC && g_str_has_prefix (message, "unknown procedure"))
    return g_error_new_literal (STASIS_REMOTE_ERROR, STASIS_REMOTE_ERROR_UNKNOWN, message);
  if (pair != NULL)
    return g_error_new_literal (STASIS_REMOTE_ERROR, pair->ours, message);
  pair = find_ours (library_codes, G_N_ELEMENTS (library_codes), code);
  if (pair != NULL && code != 9)
    return g_error_new_literal (STASIS_ERROR, pair->ours, message);
  pair = find_ours (io_codes, G_N_ELEMENTS (io_codes), code);
  if (pair != NULL)
    return g_error_new_literal (G_IO_ERROR, pair->ours, message);
  return g_error_new_literal (STASIS_ERROR, STASIS_ERROR_FAILED, message);
}

/* (nullable): exactly what it was, where the other end is one of ours. */
static GError *
make_exact (StasisXdrReader *in, const char *message)
{
  StasisWireValue values[sizeof REST];
  GError *error = NULL;
  if (stasis_wire_decode (in, REST, values) && quark_of (values[4].s) != 0)
    error = g_error_new_literal (quark_of (values[4].s), values[5].i, message);
  stasis_wire_clear (REST, values);
  return error;
}

/* What such a payload tells. */
GError *
stasis_remote_error_get (StasisXdrReader *in)
{
  StasisWireValue values[sizeof HEAD];
  GError *error = NULL;
  if (stasis_wire_decode (in, HEAD, values))
    {
      const char *message = values[2].s != NULL ? values[2].s : "";
      error = make_exact (in, message);
      if (error == NULL)
        error = make_error (values[0].i, values[1].i, message);
    }
  else
    error = g_error_new_literal (STASIS_REMOTE_ERROR, STASIS_REMOTE_ERROR_PROTOCOL,
                                 "the other end's error cannot be read");
  stasis_wire_clear (HEAD, values);
  return error;
}
