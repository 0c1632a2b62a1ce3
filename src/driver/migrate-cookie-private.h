/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-cookie-private.h: what the two files behind migrate-cookie.h share
 */

#pragma once

#include "driver/migrate-cookie.h"

G_BEGIN_DECLS

#define STASIS_COOKIE_VERSION "stasis-migration"

typedef enum
{
  STASIS_COOKIE_STRING,
  STASIS_COOKIE_PATH, /* any octets */
  STASIS_COOKIE_TEXT, /* a definition */
  STASIS_COOKIE_UINT,
  STASIS_COOKIE_INT,
  STASIS_COOKIE_BOOLEAN,
  STASIS_COOKIE_STRINGS,
  STASIS_COOKIE_OBJECT, /* as it is */
  STASIS_COOKIE_SECTION,
  STASIS_COOKIE_LIST, /* of sections */
} StasisCookieKind;

typedef struct _StasisCookieMember StasisCookieMember;
struct _StasisCookieMember
{
  const char *key; /* NULL: the last one */
  StasisCookieKind kind;
  gboolean is_needed;
  gsize offset;
  const StasisCookieMember *members; /* SECTION: in the same structure; LIST: of each element */
  gsize size;                        /* LIST: of an element */
};

typedef struct
{
  const char *key;
  const StasisCookieMember *members;
  gsize offset; /* in the cookie, of the pointer to it */
  gsize size;
} StasisCookieSection;

#define STASIS_COOKIE_SECTIONS 3u

extern const StasisCookieSection stasis_cookie_sections[STASIS_COOKIE_SECTIONS];

/* An empty one, which the cookie did not have. */
gpointer stasis_cookie_add_section (StasisMigrateCookie *cookie, guint which);

/* Set STASIS_ERROR_INVALID_ARGUMENT.  Always FALSE. */
gboolean stasis_cookie_throw (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

G_END_DECLS
