/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known-hosts.h: the keys of hosts in known_hosts files, as OpenSSH writes them
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef enum
{
  STASIS_KNOWN_HOST_UNKNOWN,    /* nothing is said of that host */
  STASIS_KNOWN_HOST_MATCH,      /* it has this key */
  STASIS_KNOWN_HOST_MISMATCH,   /* it has another key of this kind */
  STASIS_KNOWN_HOST_OTHER_KIND, /* it has keys, but none of this kind */
  STASIS_KNOWN_HOST_REVOKED,    /* this key must not be used */
} StasisKnownHost;

typedef struct _StasisKnownHosts StasisKnownHosts;

/* Read the files; one that is not there is empty, what is not understood in one is passed over. */
StasisKnownHosts *stasis_known_hosts_load (const char *const *paths,
                                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same of one file's text, as if it were called @path. */
StasisKnownHosts *stasis_known_hosts_parse (const char *path, const char *text, gsize length);
void stasis_known_hosts_free (StasisKnownHosts *self);

/* (transfer full): what a host is called in these files. */
char *stasis_known_hosts_name (const char *host, guint port);

/* What is known of the host @name (as above) and a key, in the form of RFC 4253.  @out_path
 * (borrowed from self) and @out_line (from 1) tell where that is said; NULL and 0 where nothing is.
 */
StasisKnownHost stasis_known_hosts_check (const StasisKnownHosts *self, const char *name,
                                          GBytes *key, const char **out_path, guint *out_line);

/* (transfer full) (element-type utf8): the kinds of the keys of a host, such as "ssh-ed25519". */
GPtrArray *stasis_known_hosts_kinds (const StasisKnownHosts *self, const char *name);

/* Add a line to a file, which is made where it is missing; the name is hashed where others in it
 * are. */
gboolean stasis_known_hosts_append (const char *path, const char *name, GBytes *key,
                                    GError **error);

/* (transfer full) (nullable): the kind of a key, the first string in it; NULL: that is no key. */
char *stasis_known_hosts_kind (GBytes *key);

/* (transfer full): "SHA256:..." of a key, as ssh-keygen -l has it. */
char *stasis_known_hosts_fingerprint (GBytes *key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisKnownHosts, stasis_known_hosts_free)

G_END_DECLS
