/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xdr.h: XDR (RFC 4506) as libvirt's wire protocol uses it
 *
 * The reader keeps its first failure: after that it returns zeros and NULL, and moves no more.  So
 * a caller reads all that it wants, and asks once.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  const guint8 *octets; /* (borrowed) */
  gsize length;
  gsize position;
  gboolean is_bad;
} StasisXdrReader;

void stasis_xdr_reader_init (StasisXdrReader *self, const guint8 *octets, gsize length);
/* What was not read yet. */
gsize stasis_xdr_left (const StasisXdrReader *self);
/* FALSE once something was asked for that is not there, or not allowed. */
gboolean stasis_xdr_is_ok (const StasisXdrReader *self);
/* The caller does not like what it has read. */
void stasis_xdr_spoil (StasisXdrReader *self);

guint32 stasis_xdr_get_u32 (StasisXdrReader *self);
gint32 stasis_xdr_get_i32 (StasisXdrReader *self);
guint64 stasis_xdr_get_u64 (StasisXdrReader *self);
double stasis_xdr_get_double (StasisXdrReader *self);
/* Of an optional member: whether it follows.  Clients send other numbers than 1. */
gboolean stasis_xdr_get_flag (StasisXdrReader *self);
/* A number of items, at most @max, each of which takes at least @size octets that have to be there:
 * nobody makes room for what was never sent. */
guint32 stasis_xdr_get_count (StasisXdrReader *self, guint32 max, gsize size);
/* (transfer full) (nullable): at most @max octets, none of which is NUL. */
char *stasis_xdr_get_string (StasisXdrReader *self, guint32 max);
/* (transfer full) (nullable): at most @max octets. */
GBytes *stasis_xdr_get_bytes (StasisXdrReader *self, guint32 max);
/* Exactly so many. */
void stasis_xdr_get_fixed (StasisXdrReader *self, guint8 *out, gsize length);

void stasis_xdr_put_u32 (GByteArray *out, guint32 value);
void stasis_xdr_put_i32 (GByteArray *out, gint32 value);
void stasis_xdr_put_u64 (GByteArray *out, guint64 value);
void stasis_xdr_put_double (GByteArray *out, double value);
void stasis_xdr_put_string (GByteArray *out, const char *text);
/* @text: (nullable): missing */
void stasis_xdr_put_optional_string (GByteArray *out, const char *text);
/* With its length. */
void stasis_xdr_put_bytes (GByteArray *out, gconstpointer octets, gsize length);
/* Without. */
void stasis_xdr_put_fixed (GByteArray *out, gconstpointer octets, gsize length);

G_END_DECLS
